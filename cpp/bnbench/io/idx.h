// The IDX format of the MNIST family: a big-endian header, then unsigned bytes.
#ifndef BNBENCH_IO_IDX_H_
#define BNBENCH_IO_IDX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bnbench {

struct IdxArray {
  std::vector<std::size_t> shape;    // (count) or (count, rows, columns); no dimension is 0
  std::vector<std::uint8_t> values;  // row-major, exactly the product of `shape`
  std::string sha256;                // of the whole decompressed file
};

// Reads an IDX file, raw or gzipped (the first bytes decide, not the name). Strict: only unsigned
// bytes in one or three dimensions, and exactly as many as the header announces. Throws DataError.
IdxArray ReadIdx(const std::string& path);

// The same for the bytes of a file; errors call it `name`.
IdxArray ParseIdx(std::string_view content, const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_IO_IDX_H_
