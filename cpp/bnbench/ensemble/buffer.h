// Arrays as the kernels want them: zeroed, and starting on a cache line.
#ifndef BNBENCH_ENSEMBLE_BUFFER_H_
#define BNBENCH_ENSEMBLE_BUFFER_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

#include "bnbench/checked.h"
#include "bnbench/ensemble/layout.h"

namespace bnbench {

// The number of columns that `units` values are padded to.
inline std::size_t PaddedWidth(std::size_t units) {
  return Add(units, kWidthStep - 1) / kWidthStep * kWidthStep;
}

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size)
      : values_(size == 0 ? nullptr
                          : static_cast<T*>(::operator new(Multiply(size, sizeof(T)), kAlignment))),
        size_(size) {
    std::fill_n(values_.get(), size, T{});
  }

  T* data() { return values_.get(); }
  const T* data() const { return values_.get(); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t index) { return values_.get()[index]; }
  const T& operator[](std::size_t index) const { return values_.get()[index]; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* values) const { ::operator delete(values, kAlignment); }
  };

  std::unique_ptr<T, Free> values_;
  std::size_t size_ = 0;
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_BUFFER_H_
