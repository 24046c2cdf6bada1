// Whether a model computes in training mode, read from its graph: the flag `training` of a module
// says what was set, not what is computed.
#ifndef BNBENCH_MODEL_TRAINING_MODE_H_
#define BNBENCH_MODEL_TRAINING_MODE_H_

#include <torch/csrc/jit/api/module.h>

#include "bnbench/model/classifier.h"

namespace bnbench {

// The fault of a `model` as it was saved. A graph is at fault where it reads a flag `training` that
// is set (eval() changes that), or where an operator's argument for training is true whatever the
// flags are, as tracing leaves it. Of several faults one of a normalization is named, because it
// changes the results most.
TrainingFault FindTrainingFault(const torch::jit::Module& model);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_TRAINING_MODE_H_
