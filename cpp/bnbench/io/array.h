// An array as a data file holds it: a type, a shape and the bytes of its values.
#ifndef BNBENCH_IO_ARRAY_H_
#define BNBENCH_IO_ARRAY_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/io/dtype.h"

namespace bnbench {

using Shape = std::vector<std::size_t>;

struct Array {
  DType dtype = DType::kUint8;
  Shape shape;                          // no dimension is 0
  std::span<const std::byte> bytes;     // of the values, little-endian in C order
  std::shared_ptr<const void> storage;  // keeps `bytes`: memory or a mapped file
  std::string file_sha256;              // of an IDX file, decompressed; else empty

  // The bytes of one of the `count` parts.
  std::size_t part_size() const {
    const std::size_t parts = count();
    return parts == 0 ? 0 : bytes.size() / parts;
  }
  // The first dimension.
  std::size_t count() const { return shape.empty() ? 0 : shape.front(); }
};

// "(3, 28, 28)", or "28x28" with the separator "x".
std::string FormatShape(std::span<const std::size_t> shape);

// The number of values times `value_size`. Throws DataError, which calls the array `name`, if a
// dimension is 0 or the array has more bytes than `max_bytes`.
std::size_t CountBytes(std::span<const std::size_t> shape, std::size_t value_size,
                       std::size_t max_bytes, const std::string& name);

// An array of its own memory.
Array MakeArray(DType dtype, Shape shape, std::vector<std::byte> bytes);

// The SHA-256 of the values.
std::string HashValues(const Array& array);

// The SHA-256 of the IDX file that would hold the array; empty if none can: only bytes in one or
// three dimensions can be in one.
std::string HashAsIdx(const Array& array);

}  // namespace bnbench

#endif  // BNBENCH_IO_ARRAY_H_
