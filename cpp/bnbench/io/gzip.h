// Decompresses gzip files, with a limit on the result.
#ifndef BNBENCH_IO_GZIP_H_
#define BNBENCH_IO_GZIP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bnbench {

// Whether the bytes begin like a gzip file.
bool IsGzip(std::string_view bytes);

// Decompresses a complete gzip file (one member or several). Throws DataError, which calls it
// `name`, if it is truncated, damaged, followed by other bytes, or would decompress to more than
// `max_bytes`: gzip reaches a factor of a thousand, so a small file could fill the memory.
std::vector<std::uint8_t> Gunzip(std::string_view bytes, std::size_t max_bytes,
                                 const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_IO_GZIP_H_
