// A file of data in memory without reading it: its pages are read as they are used.
#ifndef BNBENCH_IO_MAPPED_FILE_H_
#define BNBENCH_IO_MAPPED_FILE_H_

#include <memory>
#include <string>
#include <string_view>

namespace bnbench {

// A file's bytes, and what keeps them.
struct MappedFile {
  std::string_view bytes;
  std::shared_ptr<const void> storage;
};

// Maps the regular file at `path`. A file that another program cuts meanwhile ends this process:
// models, which are hashed and then run, are read (ReadFile) and not mapped. Throws DataError,
// which says that `expected` was expected.
MappedFile MapFile(const std::string& path, const std::string& expected);

}  // namespace bnbench

#endif  // BNBENCH_IO_MAPPED_FILE_H_
