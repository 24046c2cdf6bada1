#include "bnbench/io/draft_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "bnbench/errors.h"

namespace bnbench {
namespace fs = std::filesystem;

DraftFile::DraftFile(std::string path) : path_(std::move(path)) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(path_, ignored);
  if (fs::is_symlink(status)) {
    throw UsageError(path_, "a file to write", "a symbolic link",
                     "name the file that it points to");
  }
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw UsageError(path_, "a file to write", "something that is no regular file",
                     "name another file");
  }
  // A name that is not made of the target's, which may be as long as a name can be.
  draft_ = (fs::path(path_).parent_path() / ".bnbench-XXXXXX").string();
  descriptor_ = mkostemp(draft_.data(), O_CLOEXEC);
  if (descriptor_ < 0) {
    draft_.clear();
    throw UsageError(path_, "a file to write", std::strerror(errno),
                     "name a file in a folder that exists and that you may write to");
  }
  // A temporary file is its owner's alone; this one is to have the mode of any new file.
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor_, 0666 & ~mask);
}

DraftFile::~DraftFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!draft_.empty()) unlink(draft_.c_str());
}

void DraftFile::WriteAt(std::size_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) Fail();
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
}

void DraftFile::Commit() {
  if (fsync(descriptor_) != 0) Fail();
  if (std::rename(draft_.c_str(), path_.c_str()) != 0) Fail();
  draft_.clear();
}

void DraftFile::Fail() const {
  throw InternalError(path_, "to write the file", std::strerror(errno),
                      "free space or repair the disk; the old file is unchanged");
}

}  // namespace bnbench
