// Bytes are refused as a DataError or decompress to no more than was allowed; and what was
// compressed comes back, unless it was cut.

#include <zlib.h>

#include <string>
#include <string_view>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/io/gzip.h"
#include "fuzz/fuzz.h"

namespace {

using bnbench::fuzz::Require;

constexpr std::size_t kLimit = 1 << 16;

std::string Compress(const std::uint8_t* data, std::size_t size) {
  z_stream stream{};
  Require(deflateInit2(&stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK,
          "zlib starts");
  std::string output(deflateBound(&stream, static_cast<uLong>(size)), '\0');
  stream.next_in = const_cast<Bytef*>(data);
  stream.avail_in = static_cast<uInt>(size);
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  Require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib compresses");
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    Require(bnbench::Gunzip(bytes, kLimit, "input").size() <= kLimit, "no more than was allowed");
  } catch (const bnbench::DataError&) {
    // what is no gzip file is refused
  }

  if (size == 0 || size > kLimit) return 0;
  const std::string whole = Compress(data, size);
  const std::vector<std::uint8_t> expected(data, data + size);
  Require(bnbench::Gunzip(whole, size, "input") == expected, "what was compressed comes back");
  const auto refused = [](std::string_view bytes, std::size_t limit) {
    try {
      bnbench::Gunzip(bytes, limit, "input");
    } catch (const bnbench::DataError&) {
      return true;
    }
    return false;
  };
  Require(refused(whole, size - 1), "a byte more than was allowed is refused");
  Require(refused(std::string_view(whole).substr(0, data[0] % whole.size()), size),
          "what was cut is refused");
  return 0;
}
