// Kernels of the layers after the first: products of small matrices of floats.
#ifndef BNBENCH_ENSEMBLE_DENSE_INL_H_
#define BNBENCH_ENSEMBLE_DENSE_INL_H_

#include "bnbench/ensemble/vector-inl.h"

namespace bnbench::BNBENCH_INSTRUCTION_SET {

// The left factor of a product, read at `values[row * row_stride + step * step_stride]`.
template <class T>
struct LeftFactor {
  const T* values;
  std::size_t row_stride;
  std::size_t step_stride;
};

// As many rows of a tile as leave no more sums than there are registers for.
constexpr int TileRows(int vectors) {
  constexpr int kMostRows = 8;
  const int rows = BNBENCH_ACCUMULATORS / vectors;
  return rows < kMostRows ? rows : kMostRows;
}

// sums[r][i] += left[row + r] right, summed over the steps. The order of a sum is that of the
// steps, whatever the tile: a row's result does not depend on the rows beside it.
template <class T, int kRows, int kCount>
BNBENCH_ALWAYS_INLINE void AddProduct(const LeftFactor<T>& left, std::size_t row, const T* right,
                                      std::size_t right_width, std::size_t steps,
                                      Vector<T> (&sums)[kRows][kCount]) {
  const T* left_values = left.values + row * left.row_stride;
  for (std::size_t step = 0; step < steps; ++step) {
    Vector<T> right_values[kCount];
    for (int i = 0; i < kCount; ++i) {
      right_values[i] = Load(right + static_cast<std::size_t>(i) * kLanes<T>);
    }
    for (int r = 0; r < kRows; ++r) {
      const Vector<T> value = Broadcast(left_values[static_cast<std::size_t>(r) * left.row_stride]);
      for (int i = 0; i < kCount; ++i) sums[r][i] += value * right_values[i];
    }
    left_values += left.step_stride;
    right += right_width;
  }
}

// Calls body.operator()<kRows>(row) for tiles of rows, then for the single rows that are left.
template <int kRows, class Body>
BNBENCH_ALWAYS_INLINE void ForEachTile(std::size_t rows, const Body& body) {
  std::size_t row = 0;
  for (; row + kRows <= rows; row += kRows) body.template operator()<kRows>(row);
  for (; row < rows; ++row) body.template operator()<1>(row);
}

template <class T>
void DenseForward(const T* in, std::size_t in_width, std::size_t rows, std::size_t inner,
                  const T* weights, const T* bias, std::size_t width, T* out) {
  const LeftFactor<T> left{in, in_width, 1};
  ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
    ForEachTile<TileRows(kCount)>(rows, [&]<int kRows>(std::size_t row) {
      Vector<T> sums[kRows][kCount];
      for (int r = 0; r < kRows; ++r) {
        for (int i = 0; i < kCount; ++i) {
          sums[r][i] = bias == nullptr
                           ? Vector<T>{}
                           : Load(bias + column + static_cast<std::size_t>(i) * kLanes<T>);
        }
      }
      AddProduct<T, kRows, kCount>(left, row, weights + column, width, inner, sums);
      for (int r = 0; r < kRows; ++r) {
        T* out_row = out + (row + static_cast<std::size_t>(r)) * width + column;
        for (int i = 0; i < kCount; ++i) {
          Store<T>(out_row + static_cast<std::size_t>(i) * kLanes<T>, sums[r][i]);
        }
      }
    });
  });
}

template <class T>
void DenseUpdate(const T* in, std::size_t in_width, std::size_t rows, std::size_t inner,
                 const T* out_gradient, std::size_t width, const Step<T>& step,
                 Trainable<T> weights) {
  const LeftFactor<T> left{in, 1, in_width};
  WithRule(step, [&]<StepRule kRule>() {
    ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
      ForEachTile<TileRows(kCount)>(inner, [&]<int kRows>(std::size_t row) {
        Vector<T> sums[kRows][kCount] = {};
        AddProduct<T, kRows, kCount>(left, row, out_gradient + column, width, rows, sums);
        for (int r = 0; r < kRows; ++r) {
          const std::size_t offset = (row + static_cast<std::size_t>(r)) * width + column;
          for (int i = 0; i < kCount; ++i) {
            StepVector<kRule, T>(sums[r][i], step, weights,
                                 offset + static_cast<std::size_t>(i) * kLanes<T>);
          }
        }
      });
    });
  });
}

template <class T>
void Transpose(const T* in, std::size_t in_width, std::size_t rows, std::size_t columns, T* out,
               std::size_t out_width) {
  // In blocks, so that the cache lines written to are still there for the next row.
  constexpr std::size_t kBlock = 16;
  for (std::size_t first = 0; first < columns; first += kBlock) {
    const std::size_t last = first + kBlock < columns ? first + kBlock : columns;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = first; column < last; ++column) {
        out[column * out_width + row] = in[row * in_width + column];
      }
    }
  }
}

}  // namespace bnbench::BNBENCH_INSTRUCTION_SET

#endif  // BNBENCH_ENSEMBLE_DENSE_INL_H_
