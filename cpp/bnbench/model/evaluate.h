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

#include "bnbench/model/runtime.h"

namespace bnbench {

// The bytes of the model file at `path`. Throws ModelError.
std::string ReadModelFile(const std::string& path);

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

  // The error text of a model that was saved in training mode; empty otherwise. Load puts every
  // module into evaluation mode.
  const std::string& training_fault() const;

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

// Runs `model` over `images` and scores it against `labels` (as many, each 0..9). An image's
// prediction is its largest logit's index, the first of equals.
EvaluationRecord Evaluate(const Model& model, std::span<const std::uint8_t> images,
                          std::span<const std::uint8_t> labels, std::size_t batch_size);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_EVALUATE_H_
