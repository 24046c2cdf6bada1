// What the process that ran a model tells the one that asked for it, as bytes.
#ifndef BNBENCH_MODEL_ANSWER_H_
#define BNBENCH_MODEL_ANSWER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/model/benchmark.h"
#include "bnbench/model/classifier.h"
#include "bnbench/model/neighbors.h"
#include "bnbench/model/scores.h"

namespace bnbench {

struct ModelAnswer {
  std::optional<Error> error;  // why the model is unusable; else the rest holds
  TrainingFault training_fault;
  NeighborFault neighbor_fault;
  std::optional<BenchmarkRecord> benchmark;
  double epsilon = 0;  // of the model's coarsest type
  double seconds = 0;
  Scores scores;
};

std::string EncodeAnswer(const ModelAnswer& answer);

// Decodes an answer about `num_inputs` inputs. A model may have overwritten what made the answer:
// throws ModelError, which calls the model `name`, unless it is one, with finite scores.
ModelAnswer DecodeAnswer(std::string_view bytes, std::size_t num_inputs, const std::string& name);

// The longest answer about `num_scores` scores.
std::size_t MaxAnswerBytes(std::size_t num_scores);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_ANSWER_H_
