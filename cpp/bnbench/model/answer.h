// What the process that ran a model tells the one that asked for it, as bytes.
#ifndef BNBENCH_MODEL_ANSWER_H_
#define BNBENCH_MODEL_ANSWER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/errors.h"

namespace bnbench {

// What is wrong with the mode a model was exported in.
struct TrainingFault {
  std::string text;       // of the error; empty if there is no fault
  bool is_fixed = false;  // whether it stays in evaluation mode, so that no result can be trusted
};

struct ModelAnswer {
  std::optional<Error> error;  // why the model is unusable; else the rest holds
  TrainingFault training_fault;
  double seconds = 0;
  std::vector<float> logits;  // (count, 10)
};

std::string EncodeAnswer(const ModelAnswer& answer);

// Decodes an answer about `num_logits` logits. A model may have overwritten what made the answer:
// throws ModelError, which calls the model `name`, unless it is one, with finite logits.
ModelAnswer DecodeAnswer(std::string_view bytes, std::size_t num_logits, const std::string& name);

// The longest answer about `num_logits` logits.
std::size_t MaxAnswerBytes(std::size_t num_logits);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_ANSWER_H_
