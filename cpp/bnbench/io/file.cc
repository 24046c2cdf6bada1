#include "bnbench/io/file.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace bnbench {
namespace {

namespace fs = std::filesystem;

// What is at `path` instead of a regular file with 1 to `max_bytes` bytes; empty if it is one.
std::string FindProblem(const std::string& path, std::size_t max_bytes, std::uintmax_t* size) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return "nothing there";
  if (status.type() == fs::file_type::none) return "an unreadable file (" + error.message() + ")";
  if (fs::is_directory(status)) return "a folder";
  if (!fs::is_regular_file(status)) return "a device or a pipe";  // it could go on for ever
  *size = fs::file_size(path, error);
  if (error) return "an unreadable file (" + error.message() + ")";
  if (*size == 0) return "an empty file";
  if (*size > max_bytes) {
    return std::to_string(*size) + " bytes, more than the limit of " + std::to_string(max_bytes);
  }
  return {};
}

}  // namespace

std::string TryReadFile(const std::string& path, std::size_t max_bytes, std::string* problem) {
  std::uintmax_t size = 0;
  *problem = FindProblem(path, max_bytes, &size);
  if (!problem->empty()) return {};
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    *problem = std::string("an unreadable file (") + std::strerror(errno) + ")";
    return {};
  }
  std::string bytes(static_cast<std::size_t>(size), '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (static_cast<std::uintmax_t>(stream.gcount()) != size) {
    *problem = "a file that changed or failed while it was read";
    return {};
  }
  return bytes;
}

}  // namespace bnbench
