#include "bnbench/io/idx.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <utility>

#include "bnbench/errors.h"
#include "bnbench/io/file.h"
#include "bnbench/io/gzip.h"
#include "bnbench/io/sha256.h"

namespace bnbench {
namespace {

// FashionMNIST's largest file has 47 MB; anything far above is no file of this family.
constexpr std::size_t kMaxIdxBytes = std::size_t{256} << 20;
constexpr std::uint8_t kUnsignedByte = 0x08;

std::string Hex(std::span<const std::uint8_t> bytes) {
  std::string text = "0x";
  for (const std::uint8_t byte : bytes) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", byte);
    text += digits.data();
  }
  return text;
}

std::size_t BigEndian32(std::span<const std::uint8_t, 4> bytes) {
  return std::size_t{bytes[0]} << 24 | std::size_t{bytes[1]} << 16 | std::size_t{bytes[2]} << 8 |
         std::size_t{bytes[3]};
}

}  // namespace

IdxArray ParseIdx(std::string_view content, const std::string& name) {
  std::vector<std::uint8_t> bytes = IsGzip(content)
                                        ? Gunzip(content, kMaxIdxBytes, name)
                                        : std::vector<std::uint8_t>(content.begin(), content.end());
  const std::span<const std::uint8_t> file(bytes);
  const auto magic = file.first(std::min<std::size_t>(file.size(), 4));
  if (magic.size() < 4 || magic[0] != 0 || magic[1] != 0 || magic[2] != kUnsignedByte ||
      (magic[3] != 1 && magic[3] != 3)) {
    throw DataError(name, "an IDX file that begins with 0x00000801 (labels) or 0x00000803 (images)",
                    magic.empty() ? "no bytes" : Hex(magic));
  }
  const std::size_t rank = file[3];
  const std::size_t header_size = 4 + 4 * rank;
  if (file.size() < header_size) {
    throw DataError(name, "an IDX file with a header of " + std::to_string(header_size) + " bytes",
                    std::to_string(file.size()) + " bytes");
  }

  IdxArray array;
  std::size_t announced = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t size = BigEndian32(file.subspan(4 + 4 * i).first<4>());
    // Three dimensions of 2^32 overflow even 64 bits, hence a division before the product.
    if (size == 0 || size > kMaxIdxBytes / announced) {
      throw DataError(name, "an IDX file of 1 to " + std::to_string(kMaxIdxBytes) + " values",
                      "dimension " + std::to_string(i) + " of size " + std::to_string(size));
    }
    announced *= size;
    array.shape.push_back(size);
  }
  const std::size_t found = file.size() - header_size;
  if (found != announced) {
    throw DataError(
        name, "an IDX file of " + std::to_string(announced) + " values, as announced",
        std::to_string(found) + " (" + (found < announced ? "truncated" : "too long") + ")");
  }
  array.sha256 = Sha256Hex(file);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header_size));
  array.values = std::move(bytes);
  return array;
}

IdxArray ReadIdx(const std::string& path) {
  return ParseIdx(ReadFile<DataError>(path, kMaxIdxBytes, "an IDX file"), path);
}

}  // namespace bnbench
