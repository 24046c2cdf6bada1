// The product kernel of one instruction set. A file defines BNBENCH_INSTRUCTION_SET (a namespace),
// BNBENCH_VECTOR_BYTES and BNBENCH_TILE_ROWS and includes this. Nothing of the standard library
// with code in it is used: the linker keeps one copy of such code for all files, and it must run on
// every processor.
#include <cstddef>

#include "bnbench/portable/product.h"

namespace bnbench::pt2::BNBENCH_INSTRUCTION_SET {
namespace {

typedef float Vector __attribute__((vector_size(BNBENCH_VECTOR_BYTES), may_alias, aligned(4)));
constexpr std::size_t kLanes = BNBENCH_VECTOR_BYTES / sizeof(float);
constexpr std::size_t kVectors = kPanelWidth / kLanes;

// One tile: kRows rows and one panel of columns, `width` of which exist.
template <std::size_t kRows>
inline void MultiplyTile(const ProductSpec& spec, std::size_t row, std::size_t column,
                         std::size_t width) {
  Vector sums[kRows][kVectors] = {};
  const float* left = spec.left + row * spec.left_stride;
  const float* right = spec.panels + column * spec.inner;
  for (std::size_t k = 0; k < spec.inner; ++k, right += kPanelWidth) {
    Vector values[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      values[v] = *reinterpret_cast<const Vector*>(right + v * kLanes);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const Vector factor = left[r * spec.left_stride + k] - Vector{};
      for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = sums[r][v] + factor * values[v];
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    float* result = spec.result + (row + r) * spec.result_stride + column;
    float found[kPanelWidth];
    for (std::size_t v = 0; v < kVectors; ++v) {
      *reinterpret_cast<Vector*>(found + v * kLanes) = sums[r][v];
    }
    for (std::size_t i = 0; i < width; ++i) {
      float value = found[i];
      if (spec.row_bias != nullptr) value += spec.row_bias[row + r];
      if (spec.column_bias != nullptr) value += spec.column_bias[column + i];
      result[i] = value;
    }
  }
}

// Rows from `row` on, in tiles of kRows as long as there are so many, then in smaller ones.
template <std::size_t kRows>
inline void MultiplyRows(const ProductSpec& spec, std::size_t row, std::size_t column,
                         std::size_t width) {
  for (; row + kRows <= spec.rows; row += kRows) MultiplyTile<kRows>(spec, row, column, width);
  if constexpr (kRows > 1) {
    if (row < spec.rows) MultiplyRows<kRows / 2>(spec, row, column, width);
  }
}

}  // namespace

void Multiply(const ProductSpec& spec) {
  for (std::size_t column = 0; column < spec.columns; column += kPanelWidth) {
    const std::size_t left = spec.columns - column;
    MultiplyRows<BNBENCH_TILE_ROWS>(spec, 0, column, left < kPanelWidth ? left : kPanelWidth);
  }
}

}  // namespace bnbench::pt2::BNBENCH_INSTRUCTION_SET
