// The arrays that a session writes for other programs: logits and predictions of all models.
#ifndef BNBENCH_MODEL_OUTPUTS_H_
#define BNBENCH_MODEL_OUTPUTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "bnbench/io/npy.h"
#include "bnbench/model/evaluate.h"

namespace bnbench {

// Each model's results go to the disk as they come, so that memory holds only those in the making.
// The methods may be called by several threads, for different models.
class Outputs {
 public:
  // An empty path is a file not asked for. One model's arrays have the shapes (num_images, 10) and
  // (num_images); those of several have a first dimension for the model. Throws UsageError.
  Outputs(const std::string& logits_path, const std::string& predictions_path,
          std::size_t num_models, std::size_t num_images);

  void Write(std::size_t model, const EvaluationRecord& found);

  // Of a model that has no results: logits NaN, predictions 255.
  void WriteUnusable(std::size_t model);

  // Puts the files in place. Throws Error.
  void Commit();

 private:
  std::size_t num_images_;
  std::optional<NpyFile<float>> logits_;
  std::optional<NpyFile<std::uint8_t>> predictions_;
};

}  // namespace bnbench

#endif  // BNBENCH_MODEL_OUTPUTS_H_
