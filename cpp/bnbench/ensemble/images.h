// The images that all trials share, and the batches gathered from them.
#ifndef BNBENCH_ENSEMBLE_IMAGES_H_
#define BNBENCH_ENSEMBLE_IMAGES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bnbench/ensemble/buffer.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/kernels.h"

namespace bnbench {

// Labeled images, with the pixels of each that are not zero.
class ImageTable {
 public:
  // Keeps the span of the pixels, and copies the labels: they index arrays, and the caller may
  // change them while trials run. Throws DataError, beginning with `name`, unless the images are
  // whole, at least one and labeled 0..9.
  ImageTable(const LabeledImages& images, const char* name);

  std::size_t size() const { return labels_.size(); }
  const std::uint8_t* pixels(std::size_t image) const {
    return pixels_.data() + image * kNumPixels;
  }
  const std::uint64_t* ink(std::size_t image) const { return ink_.data() + image * kInkWords; }
  std::uint8_t label(std::size_t image) const { return labels_[image]; }

  // All images, such that those with ink in the same places tend to be neighbors. The kernels take
  // images a few at a time and skip the pixels that are zero in all of them.
  std::span<const std::uint32_t> similarity_order() const { return similarity_order_; }

  // Sorts every batch of an epoch's `order` by similarity. A batch's images are summed over, so
  // their order within it changes the rounding alone. `rows` becomes the place of each in its batch
  // before.
  void SortBatches(std::span<const std::int64_t> order, std::size_t batch_size,
                   std::vector<std::uint32_t>* sorted, std::vector<std::uint32_t>* rows) const;

 private:
  std::span<const std::uint8_t> pixels_;
  std::vector<std::uint8_t> labels_;
  std::vector<std::uint64_t> ink_;
  std::vector<std::uint32_t> similarity_order_;
};

// Copies of the images of one batch, one after another.
class Batch {
 public:
  explicit Batch(std::size_t max_rows);

  void Gather(const ImageTable& table, std::span<const std::uint32_t> images);
  std::size_t rows() const { return rows_; }
  const std::uint8_t* labels() const { return labels_.data(); }
  std::uint64_t* block_ink() { return block_ink_.data(); }
  InkedImages images() const { return {pixels_.data(), ink_.data(), block_ink_.data(), rows_}; }

 private:
  Buffer<std::uint8_t> pixels_;
  Buffer<std::uint64_t> ink_;
  Buffer<std::uint64_t> block_ink_;
  Buffer<std::uint8_t> labels_;
  std::size_t rows_ = 0;
};

// The images of the batch after this one. Asking the memory for them while this one is computed
// hides its latency.
struct UpcomingImages {
  const ImageTable* table = nullptr;
  std::span<const std::uint32_t> images;

  void Prefetch() const;
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_IMAGES_H_
