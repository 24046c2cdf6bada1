// The IDX format of the MNIST family: a big-endian header, then unsigned bytes.
#ifndef BNBENCH_IO_IDX_H_
#define BNBENCH_IO_IDX_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bnbench {

struct IdxArray {
  std::vector<std::size_t> shape;    // (count) or (count, rows, columns); no dimension is 0
  std::vector<std::uint8_t> values;  // row-major, exactly the product of `shape`
  std::string sha256;                // of the whole decompressed file
};

// Reads an IDX file, raw or gzipped (told apart by its first bytes, not by its name). Strict: only
// unsigned bytes in one or three dimensions, and exactly as many of them as the header announces.
// Throws DataError naming the file.
IdxArray ReadIdx(const std::string& path);

// The same for the bytes of a file, raw or gzipped; the messages name no file.
IdxArray ParseIdxFile(std::string_view content);

// The same for bytes that are already decompressed; the messages name no file.
IdxArray ParseIdx(std::vector<std::uint8_t> bytes);

}  // namespace bnbench

#endif  // BNBENCH_IO_IDX_H_
