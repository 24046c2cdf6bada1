#include "bnbench/ensemble/images.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <numeric>
#include <string>

#include "bnbench/checked.h"
#include "bnbench/errors.h"

namespace bnbench {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kSide = 28;
static_assert(kInkWordPixels == 2 * kSide);

// A bit for each of kInkWordPixels bytes that is not zero, eight bytes at a time.
std::uint64_t InkOf(const std::uint8_t* pixels) {
  constexpr std::uint64_t kLowBits = 0x7f7f7f7f7f7f7f7f;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  // The product brings the lowest bits of the eight bytes together in the highest byte.
  constexpr std::uint64_t kTogether = 0x0102040810204080;
  static_assert(kInkWordPixels % 8 == 0 && std::endian::native == std::endian::little);
  std::uint64_t ink = 0;
  for (std::size_t i = 0; i < kInkWordPixels; i += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, pixels + i, sizeof bytes);
    const std::uint64_t non_zero = (((bytes & kLowBits) + kLowBits) | bytes) & kHighBits;
    ink |= ((non_zero >> 7) * kTogether >> 56) << i;
  }
  return ink;
}

// Images of like width and like amount of ink tend to show the same kind of thing: among 64 random
// images of FashionMNIST, two neighbors in this order have 58 % of the pixels inked in either, two
// at random 66 %.
std::uint32_t SimilarityKey(const std::uint64_t* ink) {
  constexpr std::uint64_t kRow = (std::uint64_t{1} << kSide) - 1;
  std::uint64_t columns = 0;
  std::uint32_t amount = 0;
  for (std::size_t word = 0; word < kInkWords; ++word) {
    columns |= (ink[word] & kRow) | ink[word] >> kSide;
    amount += static_cast<std::uint32_t>(std::popcount(ink[word]));
  }
  return static_cast<std::uint32_t>(std::popcount(columns)) << 16 | amount;
}

std::size_t NumGroups(std::size_t rows) { return (rows + kGroupRows - 1) / kGroupRows; }

}  // namespace

ImageTable::ImageTable(const LabeledImages& images, const char* name)
    : pixels_(images.pixels), labels_(images.labels.begin(), images.labels.end()) {
  if (labels_.empty() || pixels_.size() != Multiply(labels_.size(), kNumPixels)) {
    throw DataError(name, "at least one image of 784 bytes and a label for each",
                    std::to_string(pixels_.size()) + " bytes and " +
                        std::to_string(labels_.size()) + " labels");
  }
  if (labels_.size() > kMaxImages) {
    throw DataError(name, "at most " + std::to_string(kMaxImages) + " images",
                    std::to_string(labels_.size()));
  }
  const auto wrong = std::find_if(labels_.begin(), labels_.end(),
                                  [](std::uint8_t label) { return label >= kNumOutputs; });
  if (wrong != labels_.end()) {
    throw DataError(
        name, "labels from 0 to 9",
        std::to_string(int{*wrong}) + " for image " + std::to_string(wrong - labels_.begin()));
  }

  ink_.resize(size() * kInkWords);
  for (std::size_t word = 0; word < ink_.size(); ++word) {
    ink_[word] = InkOf(pixels_.data() + word * kInkWordPixels);
  }
  std::vector<std::uint32_t> keys(size());
  for (std::size_t image = 0; image < size(); ++image) keys[image] = SimilarityKey(ink(image));
  similarity_order_.resize(size());
  std::iota(similarity_order_.begin(), similarity_order_.end(), std::uint32_t{0});
  std::stable_sort(similarity_order_.begin(), similarity_order_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
}

void ImageTable::SortBatches(std::span<const std::int64_t> order, std::size_t batch_size,
                             std::vector<std::uint32_t>* sorted,
                             std::vector<std::uint32_t>* rows) const {
  // Dealing all images, in order of similarity, to the batches they belong to sorts all batches in
  // one pass.
  std::vector<std::uint32_t> batch_of(size());
  std::vector<std::uint32_t> row_of(size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto image = static_cast<std::size_t>(order[i]);
    batch_of[image] = static_cast<std::uint32_t>(i / batch_size);
    row_of[image] = static_cast<std::uint32_t>(i % batch_size);
  }
  std::vector<std::uint32_t> next((order.size() + batch_size - 1) / batch_size);
  for (std::size_t batch = 0; batch < next.size(); ++batch) {
    next[batch] = static_cast<std::uint32_t>(batch * batch_size);
  }
  sorted->resize(order.size());
  rows->resize(order.size());
  for (const std::uint32_t image : similarity_order_) {
    const std::uint32_t at = next[batch_of[image]]++;
    (*sorted)[at] = image;
    (*rows)[at] = row_of[image];
  }
}

Batch::Batch(std::size_t max_rows)
    : pixels_(Multiply(max_rows, kNumPixels)),
      ink_(Multiply(max_rows, kInkWords)),
      block_ink_(Multiply(NumGroups(max_rows), kNumPixels / kMinBlockPixels)),
      labels_(max_rows) {}

void Batch::Gather(const ImageTable& table, std::span<const std::uint32_t> images) {
  rows_ = images.size();
  assert(rows_ <= labels_.size());
  for (std::size_t row = 0; row < rows_; ++row) {
    const std::size_t image = images[row];
    std::copy_n(table.pixels(image), kNumPixels, pixels_.data() + row * kNumPixels);
    std::copy_n(table.ink(image), kInkWords, ink_.data() + row * kInkWords);
    labels_[row] = table.label(image);
  }
}

void UpcomingImages::Prefetch() const {
  constexpr int kRead = 0;
  constexpr int kSecondLevel = 2;
  for (const std::uint32_t image : images) {
    const std::uint8_t* pixels = table->pixels(image);
    for (std::size_t at = 0; at < kNumPixels; at += kCacheLine) {
      __builtin_prefetch(pixels + at, kRead, kSecondLevel);
    }
    __builtin_prefetch(pixels + kNumPixels - 1, kRead, kSecondLevel);
    const std::uint64_t* ink = table->ink(image);
    __builtin_prefetch(ink, kRead, kSecondLevel);
    __builtin_prefetch(ink + kInkWords - 1, kRead, kSecondLevel);
  }
}

}  // namespace bnbench
