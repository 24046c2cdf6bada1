// Bytes are refused as a DataError, or are tensors that fill the file without gaps or overlaps.

#include <string_view>

#include "bnbench/errors.h"
#include "bnbench/io/safetensors.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using bnbench::fuzz::Require;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    std::size_t total = 0;
    for (const auto& [name, array] : bnbench::ParseSafetensors(input, nullptr, "input")) {
      std::size_t bytes = SizeOf(array.dtype);
      for (const std::size_t dimension : array.shape) bytes *= dimension;
      Require(bytes == array.bytes.size() && bytes > 0, "as many values as the shape says");
      const auto* first = reinterpret_cast<const char*>(array.bytes.data());
      Require(first >= input.data() && first + bytes <= input.data() + size,
              "the values lie within the file");
      total += bytes;
    }
    Require(total + 8 <= size, "no byte belongs to two tensors");
  } catch (const bnbench::DataError&) {
  }
  return 0;
}
