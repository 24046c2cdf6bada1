// Reading a whole file at once, so that what is hashed is what is used.
#ifndef BNBENCH_IO_FILE_H_
#define BNBENCH_IO_FILE_H_

#include <cstddef>
#include <string>

namespace bnbench {

// Returns the bytes of the regular file at `path`. On failure `*problem` says what is there
// instead ("is missing", "is a folder", "is empty", ...) and the result is empty; the caller knows
// which kind of error that makes. Files above `max_bytes` are refused before they are read.
std::string ReadFile(const std::string& path, std::size_t max_bytes, std::string* problem);

}  // namespace bnbench

#endif  // BNBENCH_IO_FILE_H_
