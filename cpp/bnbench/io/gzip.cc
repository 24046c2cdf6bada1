#include "bnbench/io/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;  // zlib's way of asking for the gzip format

class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) {
      throw std::runtime_error("zlib could not be started");
    }
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream* get() { return &stream_; }

 private:
  z_stream stream_{};
};

uInt ClampToUInt(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

bool IsGzip(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

std::vector<std::uint8_t> Gunzip(std::string_view bytes, std::size_t max_bytes,
                                 const std::string& name) {
  Inflater inflater;
  z_stream* stream = inflater.get();
  // One byte above the limit, so that reaching it is told apart from just fitting.
  const std::size_t capacity_limit = max_bytes + 1;
  std::vector<std::uint8_t> output(
      std::min(capacity_limit, std::max<std::size_t>(4096, bytes.size() * 4)));
  std::size_t consumed = 0;
  std::size_t produced = 0;
  while (true) {
    const uInt input_size = ClampToUInt(bytes.size() - consumed);
    const uInt output_size = ClampToUInt(output.size() - produced);
    // zlib takes a pointer to non-const input and does not write through it.
    stream->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + consumed));
    stream->avail_in = input_size;
    stream->next_out = output.data() + produced;
    stream->avail_out = output_size;
    const int status = inflate(stream, Z_NO_FLUSH);
    consumed += input_size - stream->avail_in;
    produced += output_size - stream->avail_out;
    if (produced > max_bytes) {
      throw DataError(name, "at most " + std::to_string(max_bytes) + " bytes once decompressed",
                      "more");
    }
    if (status == Z_STREAM_END) {
      if (consumed == bytes.size()) break;
      if (!IsGzip(bytes.substr(consumed))) {
        throw DataError(name, "nothing after the gzip data", "more bytes");
      }
      inflateReset(stream);  // a further member of the same file
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw DataError(name, "gzip data",
                      std::string("damaged data (") +
                          (stream->msg != nullptr ? stream->msg : "unknown zlib error") + ")");
    } else if (consumed == bytes.size() && stream->avail_out != 0) {
      throw DataError(name, "complete gzip data", "truncated data");
    }
    if (produced == output.size()) {
      output.resize(std::min(capacity_limit, output.size() * 2));
    }
  }
  output.resize(produced);
  return output;
}

}  // namespace bnbench
