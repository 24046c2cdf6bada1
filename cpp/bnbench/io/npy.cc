#include "bnbench/io/npy.h"

#include <bit>
#include <limits>

#include "bnbench/errors.h"

namespace bnbench {

static_assert(std::endian::native == std::endian::little,
              "values are written as they lie in memory");

std::string NpyHeader(std::string_view type, std::span<const std::size_t> shape) {
  constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
  constexpr std::size_t kLengthSize = 2;
  constexpr std::size_t kAlignment = 64;
  std::string text = "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i > 0 ? " " : "") + std::to_string(shape[i]);
    // Python writes a tuple of one with a comma.
    if (i + 1 < shape.size() || shape.size() == 1) text += ",";
  }
  text += "), }";
  const std::size_t used = kMagic.size() + kLengthSize + text.size() + 1;
  text.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  text += '\n';
  if (text.size() > std::numeric_limits<std::uint16_t>::max()) {
    throw UsageError("shape", "a header of at most 65535 bytes, as .npy version 1.0 has it",
                     std::to_string(shape.size()) + " dimensions");
  }
  std::string header(kMagic);
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

}  // namespace bnbench
