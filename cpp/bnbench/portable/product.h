// Matrix products in binary32 whose results are the same on every processor.
//
// Each result is the sum of its products in the order of the inner dimension, from zero, each
// product and each sum rounded by itself; the bias is added last. The vectors of an instruction set
// go across results, so they change no order.
#ifndef BNBENCH_PORTABLE_PRODUCT_H_
#define BNBENCH_PORTABLE_PRODUCT_H_

#include <cstddef>

#include "bnbench/portable/tensor.h"

namespace bnbench::pt2 {

// The right factor lies in panels of so many columns, each panel with its rows one after the other.
inline constexpr std::size_t kPanelWidth = 16;

// The number of values of a right factor in panels.
std::size_t PanelsSize(std::size_t inner, std::size_t columns);

// Puts a matrix into panels, zeros beside the last columns. The element in row k of column n is at
// matrix[k * row_stride + n * column_stride].
Buffer MakePanels(const float* matrix, std::size_t inner, std::size_t columns,
                  std::size_t row_stride, std::size_t column_stride);

struct ProductSpec {
  const float* left;  // (rows, inner), rows `left_stride` apart
  std::size_t left_stride;
  std::size_t rows;
  std::size_t inner;
  const float* panels;  // of the right factor, (inner, columns)
  std::size_t columns;
  const float* row_bias = nullptr;     // (rows); may be null
  const float* column_bias = nullptr;  // (columns); may be null
  float* result;                       // (rows, columns), rows `result_stride` apart
  std::size_t result_stride;
};

// By the widest instructions that this processor has.
void MultiplyMatrices(const ProductSpec& spec);

using ProductKernel = void (*)(const ProductSpec&);

// The kernels that this processor can run, the widest first.
std::vector<ProductKernel> ListProductKernels();

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_PRODUCT_H_
