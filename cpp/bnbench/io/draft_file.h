// Writes a file completely or not at all.
#ifndef BNBENCH_IO_DRAFT_FILE_H_
#define BNBENCH_IO_DRAFT_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace bnbench {

// A file that is written under a temporary name of its own beside `path` and renamed by Commit.
// Until then the file at `path` is unchanged; without Commit the draft is removed. A symbolic link
// at `path` is refused: following one that somebody else put there would overwrite another file.
class DraftFile {
 public:
  // Throws UsageError if there can be no regular file at `path`, or a symbolic link is there.
  explicit DraftFile(std::string path);
  ~DraftFile();
  DraftFile(const DraftFile&) = delete;
  DraftFile& operator=(const DraftFile&) = delete;

  // Writes `bytes` from `offset` on; several threads may write different parts. Throws Error.
  void WriteAt(std::size_t offset, std::string_view bytes);

  // Puts the file, once it is on the disk, at `path`. Throws Error.
  void Commit();

 private:
  [[noreturn]] void Fail() const;

  std::string path_;
  std::string draft_;
  int descriptor_;
};

}  // namespace bnbench

#endif  // BNBENCH_IO_DRAFT_FILE_H_
