#include "bnbench/portable/product.h"

#include <algorithm>

namespace bnbench::pt2 {

namespace product_baseline {
void Multiply(const ProductSpec& spec);
}
#ifdef BNBENCH_X86_KERNELS
namespace product_avx2 {
void Multiply(const ProductSpec& spec);
}
namespace product_avx512 {
void Multiply(const ProductSpec& spec);
}
#endif

std::size_t PanelsSize(std::size_t inner, std::size_t columns) {
  return (columns + kPanelWidth - 1) / kPanelWidth * kPanelWidth * inner;
}

Buffer MakePanels(const float* matrix, std::size_t inner, std::size_t columns,
                  std::size_t row_stride, std::size_t column_stride) {
  Buffer panels = MakeBuffer(PanelsSize(inner, columns));
  float* out = panels.get();
  for (std::size_t column = 0; column < columns; column += kPanelWidth) {
    for (std::size_t k = 0; k < inner; ++k) {
      for (std::size_t n = column; n < column + kPanelWidth; ++n) {
        *out++ = n < columns ? matrix[k * row_stride + n * column_stride] : 0.0F;
      }
    }
  }
  return panels;
}

std::vector<ProductKernel> ListProductKernels() {
  std::vector<ProductKernel> kernels;
#ifdef BNBENCH_X86_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) kernels.push_back(product_avx512::Multiply);
  if (__builtin_cpu_supports("avx2")) kernels.push_back(product_avx2::Multiply);
#endif
  kernels.push_back(product_baseline::Multiply);
  return kernels;
}

void MultiplyMatrices(const ProductSpec& spec) {
  static const ProductKernel kernel = ListProductKernels().front();
  kernel(spec);
}

}  // namespace bnbench::pt2
