#include "bnbench/io/array.h"

#include <utility>

#include "bnbench/io/sha256.h"

namespace bnbench {

std::string FormatShape(std::span<const std::size_t> shape) {
  std::string text = "(";
  for (const std::size_t size : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::size_t CountBytes(std::span<const std::size_t> shape, std::size_t value_size,
                       std::size_t max_bytes, const std::string& name) {
  std::size_t bytes = value_size;
  for (const std::size_t size : shape) {
    // A division before the product, which could wrap round.
    if (size == 0 || size > max_bytes / bytes) {
      throw DataError(name, "an array of 1 to " + std::to_string(max_bytes) + " bytes",
                      "shape " + FormatShape(shape));
    }
    bytes *= size;
  }
  return bytes;
}

Array MakeArray(DType dtype, Shape shape, std::vector<std::byte> bytes) {
  Array array{dtype, std::move(shape), {}, nullptr, ""};
  auto storage = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  array.bytes = *storage;
  array.storage = std::move(storage);
  return array;
}

namespace {

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string HashValues(const Array& array) { return Sha256Hex(AsText(array.bytes)); }

std::string HashAsIdx(const Array& array) {
  if (array.dtype != DType::kUint8 || (array.shape.size() != 1 && array.shape.size() != 3)) {
    return {};
  }
  std::string file{'\0', '\0', '\x08', static_cast<char>(array.shape.size())};
  for (const std::size_t size : array.shape) {
    if (size > 0xffffffffU) return {};
    for (const int shift : {24, 16, 8, 0}) file += static_cast<char>(size >> shift & 0xff);
  }
  file += AsText(array.bytes);
  return Sha256Hex(file);
}

}  // namespace bnbench
