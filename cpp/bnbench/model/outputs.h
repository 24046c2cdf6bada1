// The arrays that a session writes for other programs: logits and predictions of all models.
#ifndef BNBENCH_MODEL_OUTPUTS_H_
#define BNBENCH_MODEL_OUTPUTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bnbench/io/draft_file.h"
#include "bnbench/io/npy.h"
#include "bnbench/model/scores.h"

namespace bnbench {

// Each model's results go to the disk as they come, so that memory holds only those in the making.
// The methods may be called by several threads, for different models.
class Outputs {
 public:
  // An empty path is a file not asked for. One model's arrays have the shapes (num_inputs,
  // num_classes) and (num_inputs); those of several have a first dimension for the model. Throws
  // UsageError.
  Outputs(const std::string& logits_path, const std::string& predictions_path,
          std::size_t num_models, std::size_t num_inputs);

  // The first model says how many classes there are. Throws UsageError at one of another number.
  void Write(std::size_t model, const EvaluationRecord& found);

  // Of a model that has no results: logits NaN, predictions 255, or -1 with more than 255 classes.
  void WriteUnusable(std::size_t model);

  // Puts the files in place. If no model had results, `num_classes` says how many there are. Throws
  // Error.
  void Commit(std::size_t num_classes);

 private:
  void Begin(std::size_t width, bool has_labels);
  void WriteNothing(std::size_t model);

  std::size_t num_inputs_;
  Shape shape_;                        // of the predictions
  std::size_t width_ = 0;              // 0 until the first model
  std::vector<std::size_t> unusable_;  // those before that
  std::optional<DraftFile> logits_file_;
  std::optional<DraftFile> predictions_file_;
  std::optional<NpyFile<float>> logits_;
  std::optional<std::variant<NpyFile<std::uint8_t>, NpyFile<std::int32_t>>> predictions_;
};

}  // namespace bnbench

#endif  // BNBENCH_MODEL_OUTPUTS_H_
