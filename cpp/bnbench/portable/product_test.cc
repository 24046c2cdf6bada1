#include "bnbench/portable/product.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <vector>

using bnbench::pt2::Buffer;
using bnbench::pt2::ListProductKernels;
using bnbench::pt2::MakePanels;
using bnbench::pt2::ProductKernel;

TEST_CASE("every kernel adds products in the order of the inner dimension") {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  for (const std::size_t rows : {1U, 2U, 5U, 12U, 13U, 31U}) {
    for (const std::size_t columns : {1U, 10U, 16U, 33U}) {
      const std::size_t inner = 37;
      std::vector<float> left(rows * inner), right(inner * columns), bias(columns), offset(rows);
      for (auto* values : {&left, &right, &bias, &offset}) {
        for (float& value : *values) value = normal(generator);
      }
      std::vector<float> expected(rows * columns);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t n = 0; n < columns; ++n) {
          float sum = 0;
          for (std::size_t k = 0; k < inner; ++k)
            sum += left[r * inner + k] * right[k * columns + n];
          expected[r * columns + n] = sum + offset[r] + bias[n];
        }
      }
      const Buffer panels = MakePanels(right.data(), inner, columns, columns, 1);
      for (const ProductKernel kernel : ListProductKernels()) {
        std::vector<float> found(rows * columns);
        kernel({.left = left.data(),
                .left_stride = inner,
                .rows = rows,
                .inner = inner,
                .panels = panels.get(),
                .columns = columns,
                .row_bias = offset.data(),
                .column_bias = bias.data(),
                .result = found.data(),
                .result_stride = columns});
        CHECK(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0);
      }
    }
  }
}
