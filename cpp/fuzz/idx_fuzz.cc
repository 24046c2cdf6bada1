// A file is refused as a DataError, or it is an IDX file: writing the array gives its bytes again.

#include <string_view>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/io/gzip.h"
#include "bnbench/io/idx.h"
#include "bnbench/io/sha256.h"
#include "fuzz/fuzz.h"

namespace {

using bnbench::fuzz::Require;

std::vector<std::uint8_t> Write(const bnbench::IdxArray& array) {
  std::vector<std::uint8_t> bytes = {0, 0, 8, static_cast<std::uint8_t>(array.shape.size())};
  for (const std::size_t size : array.shape) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<std::uint8_t>(size >> shift));
    }
  }
  bytes.insert(bytes.end(), array.values.begin(), array.values.end());
  return bytes;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  try {
    const bnbench::IdxArray array = bnbench::ParseIdx(content, "input");
    Require(array.shape.size() == 1 || array.shape.size() == 3, "one or three dimensions");
    std::size_t product = 1;
    for (const std::size_t dimension : array.shape) product *= dimension;
    Require(product > 0 && product == array.values.size(), "as many values as the shape says");
    const std::vector<std::uint8_t> written = Write(array);
    Require(array.sha256 == bnbench::Sha256Hex(written), "the hash is that of the file");
    if (!bnbench::IsGzip(content)) {
      Require(written == std::vector<std::uint8_t>(data, data + size), "the bytes come back");
    }
  } catch (const bnbench::DataError&) {
    // what is no IDX file is refused
  }
  return 0;
}
