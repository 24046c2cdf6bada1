#include "bnbench/ensemble/optimizer.h"

#include <cmath>

namespace bnbench {

OptimizerMemory FindMemory(const TrainingRecipe& recipe) {
  if (recipe.optimizer != Optimizer::kSgd) return {true, true};
  return {recipe.momentum != 0, false};
}

template <class T>
Step<T> MakeStep(const TrainingRecipe& recipe, double learning_rate, std::size_t number) {
  if (recipe.optimizer == Optimizer::kSgd) {
    return {.learning_rate = static_cast<T>(learning_rate),
            .momentum = static_cast<T>(recipe.momentum),
            .weight_decay = static_cast<T>(recipe.weight_decay),
            .is_nesterov = recipe.is_nesterov};
  }
  // Kingma and Ba 2015, section 2, with the corrections of the two means put into the step's two
  // numbers; Loshchilov and Hutter 2019, algorithm 2, for the decay of the weights themselves.
  const bool decays_weights = recipe.optimizer == Optimizer::kAdamW;
  const auto count = static_cast<double>(number);
  const double mean_correction = 1 - std::pow(recipe.beta1, count);
  const double root_correction = std::sqrt(1 - std::pow(recipe.beta2, count));
  return {.rule = StepRule::kAdam,
          .learning_rate = static_cast<T>(learning_rate * root_correction / mean_correction),
          .weight_decay = static_cast<T>(decays_weights ? 0 : recipe.weight_decay),
          .velocity_share = static_cast<T>(1 - recipe.beta1),
          .square_decay = static_cast<T>(recipe.beta2),
          .square_share = static_cast<T>(1 - recipe.beta2),
          .epsilon = static_cast<T>(recipe.epsilon * root_correction),
          .kept = static_cast<T>(decays_weights ? 1 - learning_rate * recipe.weight_decay : 1.0)};
}

template Step<float> MakeStep(const TrainingRecipe&, double, std::size_t);
template Step<double> MakeStep(const TrainingRecipe&, double, std::size_t);

}  // namespace bnbench
