// Bytes are refused as a DataError, or are an archive: its entries lie within it, and inflate to
// what they announce. Each that passes its checksum is read as .npy, or refused as a DataError.

#include <string>
#include <string_view>

#include "bnbench/errors.h"
#include "bnbench/io/npy.h"
#include "bnbench/io/zip.h"
#include "fuzz/fuzz.h"

namespace {

using bnbench::fuzz::Require;

constexpr std::size_t kLimit = 1 << 16;

void ReadAsNpy(std::string_view bytes) {
  const bnbench::Array array = bnbench::ParseNpy(bytes, nullptr, "input");
  std::size_t size = SizeOf(array.dtype);
  for (const std::size_t dimension : array.shape) size *= dimension;
  Require(size == array.bytes.size() && size > 0, "as many values as the shape says");
  const auto* first = reinterpret_cast<const char*>(array.bytes.data());
  Require(first >= bytes.data() && first + size == bytes.data() + bytes.size(),
          "the values are the end of the file");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    ReadAsNpy(input);
  } catch (const bnbench::DataError&) {
  }
  try {
    for (const bnbench::ZipEntry& entry : bnbench::ListZip(input, "input")) {
      Require(entry.content.data() >= input.data() &&
                  entry.content.data() + entry.content.size() <= input.data() + size,
              "entries lie within the archive");
      try {
        if (entry.is_deflated) {
          const std::vector<std::byte> bytes = InflateEntry(entry, kLimit, "input");
          Require(bytes.size() == entry.size && entry.size <= kLimit, "as large as announced");
          ReadAsNpy({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        } else {
          Require(entry.size == entry.content.size(), "stored entries have one size");
          CheckCrc(entry, entry.content, "input");
          ReadAsNpy(entry.content);
        }
      } catch (const bnbench::DataError&) {
      }
    }
  } catch (const bnbench::DataError&) {
  }
  return 0;
}
