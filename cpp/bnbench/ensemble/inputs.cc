#include "bnbench/ensemble/inputs.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <numeric>
#include <string>
#include <variant>

#include "bnbench/checked.h"
#include "bnbench/errors.h"

namespace bnbench {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kFashionMnistSide = 28;
static_assert(kInkWordBytes == 2 * kFashionMnistSide);

// A bit for each of kInkWordBytes bytes that is not zero, eight bytes at a time.
std::uint64_t InkOf(const std::uint8_t* bytes) {
  constexpr std::uint64_t kLowBits = 0x7f7f7f7f7f7f7f7f;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  // The product brings the lowest bits of the eight bytes together in the highest byte.
  constexpr std::uint64_t kTogether = 0x0102040810204080;
  static_assert(kInkWordBytes % 8 == 0 && std::endian::native == std::endian::little);
  std::uint64_t ink = 0;
  for (std::size_t i = 0; i < kInkWordBytes; i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes + i, sizeof eight);
    const std::uint64_t non_zero = (((eight & kLowBits) + kLowBits) | eight) & kHighBits;
    ink |= ((non_zero >> 7) * kTogether >> 56) << i;
  }
  return ink;
}

// Images of like width and like amount of ink tend to show the same kind of thing: among 64 random
// images of FashionMNIST, two neighbors in this order have 58 % of the pixels inked in either, two
// at random 66 %. Inputs of another width are grouped by other columns, at no harm but to speed.
std::uint32_t SimilarityKey(const std::uint64_t* ink, std::size_t num_words) {
  constexpr std::uint64_t kRow = (std::uint64_t{1} << kFashionMnistSide) - 1;
  std::uint64_t columns = 0;
  std::size_t amount = 0;
  for (std::size_t word = 0; word < num_words; ++word) {
    columns |= (ink[word] & kRow) | ink[word] >> kFashionMnistSide;
    amount += static_cast<std::size_t>(std::popcount(ink[word]));
  }
  constexpr std::size_t kMostAmount = 0xffff;
  return static_cast<std::uint32_t>(std::popcount(columns)) << 16 |
         static_cast<std::uint32_t>(std::min(amount, kMostAmount));
}

std::size_t NumGroups(std::size_t rows) { return (rows + kGroupRows - 1) / kGroupRows; }

void PrefetchBytes(const void* first, std::size_t size) {
  constexpr int kRead = 0;
  constexpr int kSecondLevel = 2;
  const char* const bytes = static_cast<const char*>(first);
  for (std::size_t at = 0; at < size; at += kCacheLine) {
    __builtin_prefetch(bytes + at, kRead, kSecondLevel);
  }
  __builtin_prefetch(bytes + size - 1, kRead, kSecondLevel);
}

}  // namespace

InkLayout::InkLayout(std::size_t inputs)
    : num_words(Add(inputs, 2 * kInkWordBytes - 1) / (2 * kInkWordBytes) * 2),
      num_bytes(Multiply(num_words, kInkWordBytes)),
      num_pairs(num_bytes / 2) {}

InputTable::InputTable(const LabeledInputs& inputs, const DataShape& shape, const char* name)
    : shape_(shape), ink_layout_(shape.num_inputs) {
  std::size_t count = 0;
  if (const auto* bytes = std::get_if<std::span<const std::uint8_t>>(&inputs.inputs)) {
    bytes_ = *bytes;
    count = bytes_.size();
  } else {
    values_ = std::get<std::span<const float>>(inputs.inputs);
    count = values_.size();
  }
  const std::size_t num_labels = inputs.labels.size();
  if (count == 0 || count != Multiply(num_labels, shape.num_inputs)) {
    throw DataError(
        name,
        "at least one input of " + std::to_string(shape.num_inputs) +
            " numbers and a label for each",
        std::to_string(count) + " numbers and " + std::to_string(num_labels) + " labels");
  }
  if (num_labels > kMaxInputs) {
    throw DataError(name, "at most " + std::to_string(kMaxInputs) + " inputs",
                    std::to_string(num_labels));
  }
  const auto num_classes = static_cast<std::int64_t>(shape.num_classes);
  const auto wrong =
      std::find_if(inputs.labels.begin(), inputs.labels.end(),
                   [&](std::int64_t label) { return label < 0 || label >= num_classes; });
  if (wrong != inputs.labels.end()) {
    throw DataError(
        name, "labels from 0 to " + std::to_string(num_classes - 1),
        std::to_string(*wrong) + " for input " + std::to_string(wrong - inputs.labels.begin()));
  }
  labels_.assign(inputs.labels.begin(), inputs.labels.end());
  similarity_order_.resize(size());
  std::iota(similarity_order_.begin(), similarity_order_.end(), std::uint32_t{0});
  if (holds_bytes()) FindInk();
}

void InputTable::FindInk() {
  const std::size_t num_words = ink_layout_.num_words;
  ink_.resize(Multiply(size(), num_words));
  std::vector<std::uint8_t> padded(ink_layout_.num_bytes);
  std::vector<std::uint32_t> keys(size());
  for (std::size_t input = 0; input < size(); ++input) {
    std::copy_n(bytes(input), shape_.num_inputs, padded.data());
    for (std::size_t word = 0; word < num_words; ++word) {
      ink_[input * num_words + word] = InkOf(padded.data() + word * kInkWordBytes);
    }
    keys[input] = SimilarityKey(ink(input), num_words);
  }
  std::stable_sort(similarity_order_.begin(), similarity_order_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
}

void InputTable::SortBatches(std::span<const std::int64_t> order, std::size_t batch_size,
                             std::vector<std::uint32_t>* sorted,
                             std::vector<std::uint32_t>* rows) const {
  // Dealing all inputs, in order of similarity, to the batches they belong to sorts all batches in
  // one pass.
  std::vector<std::uint32_t> batch_of(size());
  std::vector<std::uint32_t> row_of(size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto input = static_cast<std::size_t>(order[i]);
    batch_of[input] = static_cast<std::uint32_t>(i / batch_size);
    row_of[input] = static_cast<std::uint32_t>(i % batch_size);
  }
  std::vector<std::uint32_t> next((order.size() + batch_size - 1) / batch_size);
  for (std::size_t batch = 0; batch < next.size(); ++batch) {
    next[batch] = static_cast<std::uint32_t>(batch * batch_size);
  }
  sorted->resize(order.size());
  rows->resize(order.size());
  for (const std::uint32_t input : similarity_order_) {
    const std::uint32_t at = next[batch_of[input]]++;
    (*sorted)[at] = input;
    (*rows)[at] = row_of[input];
  }
}

template <class T>
Batch<T>::Batch(const InputTable& table, std::size_t max_rows)
    : num_inputs_(table.shape().num_inputs), layout_(table.ink_layout()), labels_(max_rows) {
  if (table.holds_bytes()) {
    bytes_ = Buffer<std::uint8_t>(Multiply(max_rows, layout_.num_bytes));
    ink_ = Buffer<std::uint64_t>(Multiply(max_rows, layout_.num_words));
    pair_ink_ = Buffer<std::uint64_t>(Multiply(NumGroups(max_rows), layout_.num_pairs));
  } else {
    values_ = Buffer<T>(Multiply(max_rows, num_inputs_));
  }
}

template <class T>
void Batch<T>::Gather(const InputTable& table, std::span<const std::uint32_t> inputs) {
  rows_ = inputs.size();
  assert(rows_ <= labels_.size() && table.holds_bytes() == holds_bytes());
  for (std::size_t row = 0; row < rows_; ++row) {
    const std::size_t input = inputs[row];
    if (holds_bytes()) {
      std::copy_n(table.bytes(input), num_inputs_, bytes_.data() + row * layout_.num_bytes);
      std::copy_n(table.ink(input), layout_.num_words, ink_.data() + row * layout_.num_words);
    } else {
      std::copy_n(table.values(input), num_inputs_, values_.data() + row * num_inputs_);
    }
    labels_[row] = table.label(input);
  }
}

template class Batch<float>;
template class Batch<double>;

void UpcomingInputs::Prefetch() const {
  for (const std::uint32_t input : inputs) {
    const std::size_t count = table->shape().num_inputs;
    if (table->holds_bytes()) {
      PrefetchBytes(table->bytes(input), count);
      const std::size_t num_words = table->ink_layout().num_words;
      PrefetchBytes(table->ink(input), num_words * sizeof(std::uint64_t));
    } else {
      PrefetchBytes(table->values(input), count * sizeof(float));
    }
  }
}

}  // namespace bnbench
