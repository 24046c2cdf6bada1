#include "bnbench/io/file.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace bnbench {

std::string ReadFile(const std::string& path, std::size_t max_bytes, std::string* problem) {
  namespace fs = std::filesystem;
  problem->clear();
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    *problem = "is missing";
  } else if (status.type() == fs::file_type::none) {
    *problem = "cannot be read (" + error.message() + ")";
  } else if (fs::is_directory(status)) {
    *problem = "is a folder, not a file";
  } else if (!fs::is_regular_file(status)) {
    *problem = "is not a regular file";  // a device or a pipe could go on for ever
  }
  if (!problem->empty()) return {};

  const std::uintmax_t size = fs::file_size(path, error);
  if (error) {
    *problem = "cannot be read (" + error.message() + ")";
    return {};
  }
  if (size == 0) {
    *problem = "is empty";
    return {};
  }
  if (size > max_bytes) {
    *problem = "is too large (" + std::to_string(size) + " bytes, at most " +
               std::to_string(max_bytes) + " are read)";
    return {};
  }
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    *problem = std::string("cannot be opened (") + std::strerror(errno) + ")";
    return {};
  }
  std::string bytes(static_cast<std::size_t>(size), '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (static_cast<std::uintmax_t>(stream.gcount()) != size) {
    *problem = "changed or failed while it was read";
    return {};
  }
  return bytes;
}

}  // namespace bnbench
