// The steps of torch.optim's optimizers.
#ifndef BNBENCH_ENSEMBLE_OPTIMIZER_H_
#define BNBENCH_ENSEMBLE_OPTIMIZER_H_

#include <cstddef>

#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/kernels.h"

namespace bnbench {

// Values that an optimizer keeps of each parameter from step to step.
struct OptimizerMemory {
  bool has_velocity = false;
  bool has_square = false;
};
OptimizerMemory FindMemory(const TrainingRecipe& recipe);

// A training's step `number`, from 1 on, at a learning rate.
template <class T>
Step<T> MakeStep(const TrainingRecipe& recipe, double learning_rate, std::size_t number);

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_OPTIMIZER_H_
