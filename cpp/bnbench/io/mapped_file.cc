#include "bnbench/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "bnbench/errors.h"
#include "bnbench/io/file.h"

namespace bnbench {

MappedFile MapFile(const std::string& path, const std::string& expected) {
  const Descriptor file(path);
  std::size_t size = 0;
  const std::string problem = FindProblem(file, std::numeric_limits<std::ptrdiff_t>::max(), &size);
  if (!problem.empty()) throw DataError(path, expected, problem);
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (address == MAP_FAILED) {
    throw DataError(path, expected,
                    std::string("a file that can't be mapped (") + std::strerror(errno) + ")");
  }
  return {{static_cast<const char*>(address), size},
          std::shared_ptr<const void>(
              address, [size](const void* mapped) { munmap(const_cast<void*>(mapped), size); })};
}

}  // namespace bnbench
