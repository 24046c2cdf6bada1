// The records of a torch.export archive, by their names below the archive's one folder.
#ifndef BNBENCH_PORTABLE_RECORDS_H_
#define BNBENCH_PORTABLE_RECORDS_H_

#include <optional>
#include <string>
#include <string_view>

#include "bnbench/portable/stored_zip.h"

namespace bnbench::pt2 {

class Records {
 public:
  // Throws ModelError, which calls the file `name`, unless the bytes are an archive of one exported
  // program; the text says what they are. The bytes must stay.
  Records(std::string_view bytes, const std::string& name);

  const std::string& name() const { return name_; }

  std::optional<std::string_view> Find(std::string_view record) const;
  // Throws ModelError.
  std::string_view Get(std::string_view record) const;

 private:
  [[noreturn]] void Fail(const std::string& got) const;
  void Require(std::string_view record, std::string_view content) const;

  std::string name_;
  ZipRecords records_;
  std::string folder_;
};

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_RECORDS_H_
