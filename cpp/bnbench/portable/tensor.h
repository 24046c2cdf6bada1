// Arrays of binary32 numbers, and walks through their elements.
#ifndef BNBENCH_PORTABLE_TENSOR_H_
#define BNBENCH_PORTABLE_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace bnbench::pt2 {

using Shape = std::vector<std::size_t>;
using Buffer = std::shared_ptr<float[]>;

inline Buffer MakeBuffer(std::size_t size) { return std::make_shared_for_overwrite<float[]>(size); }

// The product of the dimensions from `first` up to `last`, without `last`.
inline std::size_t CountElements(const Shape& shape, std::size_t first, std::size_t last) {
  std::size_t count = 1;
  for (std::size_t i = first; i < last; ++i) count *= shape[i];
  return count;
}
inline std::size_t CountElements(const Shape& shape) {
  return CountElements(shape, 0, shape.size());
}

// The strides of an array in C order.
inline Shape RowStrides(const Shape& shape) {
  Shape strides(shape.size());
  std::size_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

// Such as "(3, 28, 28)".
inline std::string NameShape(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  }
  return text + ")";
}

// Calls body(offset) for each element of `shape` in C order, where the offset is the sum of index
// times stride.
template <class Body>
void ForEachOffset(const Shape& shape, const Shape& strides, const Body& body) {
  const std::size_t count = CountElements(shape);
  if (count == 0) return;
  const std::size_t rank = shape.size();
  const std::size_t inner = rank > 0 ? shape[rank - 1] : 1;
  const std::size_t inner_stride = rank > 0 ? strides[rank - 1] : 0;
  Shape index(rank);
  std::size_t offset = 0;
  for (std::size_t done = 0; done < count; done += inner) {
    for (std::size_t i = 0; i < inner; ++i) body(offset + i * inner_stride);
    for (std::size_t d = rank > 0 ? rank - 1 : 0; d-- > 0;) {
      offset += strides[d];
      if (++index[d] < shape[d]) break;
      offset -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
}

// Rounds to the nearest bfloat16, ties to even, as torch does.
inline float RoundToBfloat16(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7fffffffU) > 0x7f800000U) return value;  // NaN
  bits += 0x7fffU + ((bits >> 16) & 1U);
  bits &= 0xffff0000U;
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_TENSOR_H_
