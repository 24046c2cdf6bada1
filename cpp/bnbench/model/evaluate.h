// Runs a TorchScript model over images. It hides torch's headers.
#ifndef BNBENCH_MODEL_EVALUATE_H_
#define BNBENCH_MODEL_EVALUATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/model/answer.h"
#include "bnbench/model/runtime.h"

namespace bnbench {

inline constexpr std::size_t kMaxModelBytes = std::size_t{4} << 30;

// The bytes of the model file at `path`. One above `max_bytes` is refused before it is read. Throws
// ModelError, which says that `expected` was expected.
std::string ReadModelFile(const std::string& path, std::size_t max_bytes = kMaxModelBytes,
                          const std::string& expected = "a model file");

// A TorchScript model in evaluation mode. A model is code: load only bytes you have reason to
// trust.
class Model {
 public:
  // Loads a model from the bytes of its file, whose hash the caller may have checked. Errors call
  // the model `name`. Throws ModelError.
  static Model Load(std::string_view bytes, const std::string& name, Device device = Device::kCpu);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  // What is wrong with the mode the model was saved in. Load puts every module into evaluation
  // mode.
  const TrainingFault& training_fault() const;

  // Logits of all images (28 · 28 bytes each), shape (count, 10) row-major. The model gets them
  // `batch_size` at a time, as floats in [0, 1] of shape (batch, 1, 28, 28). Throws ModelError
  // unless it returns finite float logits of shape (batch, 10).
  std::vector<float> Logits(std::span<const std::uint8_t> images, std::size_t batch_size) const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What was measured when a model ran over labeled images.
struct EvaluationRecord {
  std::vector<float> logits;  // (count, 10)
  std::string predictions;    // one digit per image
  std::size_t correct = 0;
  double seconds = 0;  // from the images' bytes to their logits
};

// Divides every byte by 255 in binary32, which is bit for bit what torchvision's ToTensor does.
void ConvertPixels(std::span<const std::uint8_t> bytes, float* pixels);

// Scores logits against `labels` (one per image, each 0..9). An image's prediction is its largest
// logit's index, the first of equals.
EvaluationRecord Score(std::vector<float> logits, std::span<const std::uint8_t> labels,
                       double seconds);

// Runs `model` over `images`, and says in which time.
std::vector<float> TimeLogits(const Model& model, std::span<const std::uint8_t> images,
                              std::size_t batch_size, double* seconds);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_EVALUATE_H_
