// The inputs that all trials share, and the batches gathered from them.
#ifndef BNBENCH_ENSEMBLE_INPUTS_H_
#define BNBENCH_ENSEMBLE_INPUTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bnbench/ensemble/buffer.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/kernels.h"

namespace bnbench {

// How bytes of one input lie in memory: padded with zeros to whole pairs of words of ink.
struct InkLayout {
  explicit InkLayout(std::size_t inputs);

  std::size_t num_words;  // of ink
  std::size_t num_bytes;  // with the padding
  std::size_t num_pairs;  // of neighboring bytes, with the padding
};

// Labeled inputs; of bytes also which are not zero.
class InputTable {
 public:
  // Keeps the span of the inputs, and copies the labels: they index arrays, and the caller may
  // change them while trials run. Throws DataError, beginning with `name`, unless the inputs are
  // whole, at least one and labeled with classes of `shape`.
  InputTable(const LabeledInputs& inputs, const DataShape& shape, const char* name);

  std::size_t size() const { return labels_.size(); }
  const DataShape& shape() const { return shape_; }
  bool holds_bytes() const { return values_.empty(); }
  std::uint32_t label(std::size_t input) const { return labels_[input]; }

  // Of a table of bytes.
  const InkLayout& ink_layout() const { return ink_layout_; }
  const std::uint8_t* bytes(std::size_t input) const {
    return bytes_.data() + input * shape_.num_inputs;
  }
  const std::uint64_t* ink(std::size_t input) const {
    return ink_.data() + input * ink_layout_.num_words;
  }
  // Of any other.
  const float* values(std::size_t input) const {
    return values_.data() + input * shape_.num_inputs;
  }

  // All inputs, such that those with ink in the same places tend to be neighbors. The kernels take
  // inputs two at a time and skip the bytes that are zero in both. Floats are in their own order.
  std::span<const std::uint32_t> similarity_order() const { return similarity_order_; }

  // Sorts every batch of an epoch's `order` by similarity. A batch's inputs are summed over, so
  // their order within it changes the rounding alone. `rows` becomes the place of each in its batch
  // before.
  void SortBatches(std::span<const std::int64_t> order, std::size_t batch_size,
                   std::vector<std::uint32_t>* sorted, std::vector<std::uint32_t>* rows) const;

 private:
  void FindInk();

  DataShape shape_;
  InkLayout ink_layout_;
  std::span<const std::uint8_t> bytes_;
  std::span<const float> values_;
  std::vector<std::uint32_t> labels_;
  std::vector<std::uint64_t> ink_;
  std::vector<std::uint32_t> similarity_order_;
};

// Copies of the inputs of one batch, one after another.
template <class T>
class Batch {
 public:
  Batch(const InputTable& table, std::size_t max_rows);

  // The table may be another one of the same kind of inputs.
  void Gather(const InputTable& table, std::span<const std::uint32_t> inputs);
  std::size_t rows() const { return rows_; }
  const std::uint32_t* labels() const { return labels_.data(); }
  bool holds_bytes() const { return values_.size() == 0; }

  std::uint64_t* pair_ink() { return pair_ink_.data(); }
  InkedInputs inked() const {
    return {bytes_.data(),     ink_.data(),       pair_ink_.data(),  rows_,
            layout_.num_words, layout_.num_bytes, layout_.num_pairs, num_inputs_};
  }
  // Of shape (rows, num_inputs).
  const T* values() const { return values_.data(); }

 private:
  std::size_t num_inputs_;
  InkLayout layout_;
  Buffer<std::uint8_t> bytes_;
  Buffer<std::uint64_t> ink_;
  Buffer<std::uint64_t> pair_ink_;
  Buffer<T> values_;
  Buffer<std::uint32_t> labels_;
  std::size_t rows_ = 0;
};

// The inputs of the batch after this one. Asking the memory for them while this one is computed
// hides its latency.
struct UpcomingInputs {
  const InputTable* table = nullptr;
  std::span<const std::uint32_t> inputs;

  void Prefetch() const;
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_INPUTS_H_
