// Reads the zip files that torch.export writes: stored records, one after the other. It unpacks
// nothing.
#ifndef BNBENCH_PORTABLE_STORED_ZIP_H_
#define BNBENCH_PORTABLE_STORED_ZIP_H_

#include <map>
#include <string>
#include <string_view>

namespace bnbench::pt2 {

// A record's content by its name. The contents are parts of the file's bytes.
using ZipRecords = std::map<std::string, std::string_view, std::less<>>;

// Lists the records of a zip file. Strict: each byte of the file belongs to one record or to the
// directory, no record is compressed or encrypted, the directory and the records say the same, no
// name occurs twice, and every CRC-32 is right. Throws ModelError, which calls the file `name`.
ZipRecords ReadStoredZip(std::string_view bytes, const std::string& name);

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_STORED_ZIP_H_
