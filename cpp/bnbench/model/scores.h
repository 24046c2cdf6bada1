// From a model's scores to its predictions, and how many of them are right.
#ifndef BNBENCH_MODEL_SCORES_H_
#define BNBENCH_MODEL_SCORES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bnbench/model/classifier.h"

namespace bnbench {

// What a model gave for inputs.
struct Scores {
  OutputKind kind = OutputKind::kLogits;
  std::size_t width = 0;      // numbers per input: classes, or 1 for labels
  std::vector<float> values;  // (count, width)

  std::size_t count() const { return width == 0 ? 0 : values.size() / width; }
};

// What was measured when a model ran over inputs.
struct EvaluationRecord {
  Scores scores;
  std::vector<std::int64_t> predictions;    // one class per input
  std::optional<std::size_t> correct;       // none without targets
  std::optional<std::size_t> correct_top5;  // none without targets, or with at most five classes
  double seconds = 0;                       // from the stored inputs to their scores
};

// Compares scores with `targets`, which are empty or one per input. A prediction is the first
// largest score; it is among the top five if fewer than five classes come before it, by their
// scores and of equal ones by their numbers.
EvaluationRecord Score(Scores scores, std::span<const std::int64_t> targets, double seconds);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_SCORES_H_
