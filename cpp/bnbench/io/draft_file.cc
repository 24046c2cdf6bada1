#include "bnbench/io/draft_file.h"

#include <fcntl.h>
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
  const fs::file_status status = fs::status(path_, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw UsageError(path_, "a file to write", "something that is no regular file",
                     "name another file");
  }
  // The process's number keeps two programs from writing one draft.
  const fs::path target(path_);
  draft_ = (target.parent_path() /
            ("." + target.filename().string() + ".draft-" + std::to_string(getpid())))
               .string();
  descriptor_ = open(draft_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) {
    throw UsageError(path_, "a file to write", std::strerror(errno),
                     "name a file in a folder that exists and that you may write to");
  }
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
