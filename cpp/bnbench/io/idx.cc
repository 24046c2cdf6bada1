#include "bnbench/io/idx.h"

#include <array>
#include <cstdio>
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

IdxArray ParseIdx(std::vector<std::uint8_t> bytes) {
  const std::span<const std::uint8_t> file(bytes);
  if (file.size() < 4) {
    throw DataError("is no IDX file: it has only " + std::to_string(file.size()) + " bytes");
  }
  if (file[0] != 0 || file[1] != 0 || file[2] != kUnsignedByte || (file[3] != 1 && file[3] != 3)) {
    throw DataError(
        "must begin with the IDX magic 0x00000801 (labels) or 0x00000803 (images), "
        "and begins with " +
        Hex(file.first(4)));
  }
  const std::size_t rank = file[3];
  const std::size_t header_size = 4 + 4 * rank;
  if (file.size() < header_size) {
    throw DataError("ends within its IDX header (" + std::to_string(file.size()) + " of " +
                    std::to_string(header_size) + " bytes)");
  }

  IdxArray array;
  std::size_t announced = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t size = BigEndian32(file.subspan(4 + 4 * i).first<4>());
    if (size == 0) {
      throw DataError("announces a dimension of size 0 in its IDX header");
    }
    // Three dimensions of 2^32 overflow even 64 bits, hence a division before the product.
    if (size > kMaxIdxBytes / announced) {
      throw DataError("announces more than the " + std::to_string(kMaxIdxBytes) +
                      " values that are accepted");
    }
    announced *= size;
    array.shape.push_back(size);
  }
  const std::size_t found = file.size() - header_size;
  if (found != announced) {
    throw DataError("announces " + std::to_string(announced) + " values and holds " +
                    std::to_string(found) +
                    (found < announced ? ": it is truncated" : ": it has trailing bytes"));
  }
  array.sha256 = Sha256Hex(file);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header_size));
  array.values = std::move(bytes);
  return array;
}

IdxArray ParseIdxFile(std::string_view content) {
  return ParseIdx(IsGzip(content) ? Gunzip(content, kMaxIdxBytes)
                                  : std::vector<std::uint8_t>(content.begin(), content.end()));
}

IdxArray ReadIdx(const std::string& path) {
  std::string problem;
  const std::string content = ReadFile(path, kMaxIdxBytes, &problem);
  if (!problem.empty()) throw DataError("IDX file " + path + " " + problem);
  try {
    return ParseIdxFile(content);
  } catch (const DataError& error) {
    throw DataError("IDX file " + path + " " + error.what());
  }
}

}  // namespace bnbench
