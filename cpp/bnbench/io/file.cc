#include "bnbench/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bnbench {
namespace {

std::string DescribeError(int error) {
  if (error == ENOENT || error == ENOTDIR) return "nothing there";
  return std::string("an unreadable file (") + std::strerror(error) + ")";
}

}  // namespace

Descriptor::Descriptor(const std::string& path)
    : number_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)),
      error_(number_ < 0 ? errno : 0) {}

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

std::string FindProblem(const Descriptor& file, std::size_t max_bytes, std::size_t* size) {
  if (file.number() < 0) return DescribeError(file.error_);
  struct stat status {};
  if (fstat(file.number(), &status) != 0) return DescribeError(errno);
  if (S_ISDIR(status.st_mode)) return "a folder";
  if (!S_ISREG(status.st_mode)) return "a device or a pipe";  // it could go on for ever
  *size = static_cast<std::size_t>(status.st_size);
  if (*size == 0) return "an empty file";
  if (*size > max_bytes) {
    return std::to_string(*size) + " bytes, more than the limit of " + std::to_string(max_bytes);
  }
  return {};
}

std::string TryReadFile(const std::string& path, std::size_t max_bytes, std::string* problem) {
  // What is looked at is what is read, whatever takes its place meanwhile.
  const Descriptor file(path);
  std::size_t size = 0;
  *problem = FindProblem(file, max_bytes, &size);
  if (!problem->empty()) return {};
  std::string bytes(size, '\0');
  std::size_t found = 0;
  while (found < size) {
    const ssize_t count = read(file.number(), bytes.data() + found, size - found);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      *problem = "a file that changed or failed while it was read";
      return {};
    }
    found += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace bnbench
