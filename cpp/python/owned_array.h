#ifndef BNBENCH_PYTHON_OWNED_ARRAY_H_
#define BNBENCH_PYTHON_OWNED_ARRAY_H_

#include <pybind11/numpy.h>

#include <memory>
#include <utility>
#include <vector>

namespace bnbench {

// A NumPy array of `shape` that takes over `values` without copying them.
template <typename T>
pybind11::array_t<T> OwnedArray(std::vector<T> values, std::vector<pybind11::ssize_t> shape) {
  auto owner = std::make_unique<std::vector<T>>(std::move(values));
  T* data = owner->data();
  pybind11::capsule capsule(owner.get(),
                            [](void* pointer) { delete static_cast<std::vector<T>*>(pointer); });
  owner.release();  // the capsule's from here on
  return pybind11::array_t<T>(std::move(shape), data, capsule);
}

}  // namespace bnbench

#endif  // BNBENCH_PYTHON_OWNED_ARRAY_H_
