// Running a TorchScript model over images. Torch's headers stay behind this one.
#ifndef BNBENCH_EVALUATE_H_
#define BNBENCH_EVALUATE_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/runtime.h"

namespace bnbench {

// Images as a model takes them: float pixels in [0, 1], shape (count, 1, 28, 28).
class Pixels {
 public:
  // Divides every byte by 255 in binary32, which is bit for bit what torchvision's ToTensor does.
  explicit Pixels(std::span<const std::uint8_t> images);
  const float* data() const { return values_.get(); }
  std::size_t count() const { return count_; }

 private:
  struct Free {
    void operator()(float* values) const { std::free(values); }
  };
  std::unique_ptr<float[], Free> values_;
  std::size_t count_;
};

// A TorchScript model in evaluation mode. A model is code: load only bytes you have reason to
// trust.
class Model {
 public:
  // Loads a model from the bytes of its file. The bytes are taken rather than a path so that they
  // are the very ones whose hash was checked. Throws ModelError.
  static Model Load(std::string_view bytes, Device device = Device::kCpu);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  // Logits of all images, shape (count, 10) row-major, computed `batch_size` images at a time.
  // Throws ModelError unless the model returns finite float logits of shape (batch, 10).
  std::vector<float> Logits(const Pixels& pixels, std::size_t batch_size) const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What was measured when a model ran over labelled images.
struct EvaluationRecord {
  std::vector<float> logits;  // (count, 10)
  std::string predictions;    // one digit an image
  std::size_t correct = 0;
  double seconds = 0;  // the forward passes alone
};

// Runs `model` over `pixels` and scores it against `labels` (as many, each 0..9). An image's
// prediction is its largest logit's index, the first of equals.
EvaluationRecord Evaluate(const Model& model, const Pixels& pixels,
                          std::span<const std::uint8_t> labels, std::size_t batch_size);

}  // namespace bnbench

#endif  // BNBENCH_EVALUATE_H_
