#include "bnbench/portable/stored_zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bnbench/errors.h"
#include "bnbench/portable/printable.h"

namespace bnbench::pt2 {
namespace {

// Signatures and sizes of the parts of a zip file (PKWARE, APPNOTE.TXT 6.3.10, section 4.3).
constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kDescriptorSignature = 0x08074b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocatorSignature = 0x07064b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kDescriptorSize = 16;
constexpr std::size_t kEntrySize = 46;
constexpr std::size_t kEnd64Size = 56;
constexpr std::size_t kLocatorSize = 20;
constexpr std::size_t kEndSize = 22;

constexpr std::uint32_t kHasDescriptor = 1U << 3;
constexpr std::uint32_t kIsUtf8 = 1U << 11;
constexpr std::size_t kMaxName = 512;
constexpr std::uint32_t kIn64 = 0xffffffff;  // says that the value is in another place

// The bytes of a file, read as numbers; a read beyond the end is an error.
class Bytes {
 public:
  Bytes(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  [[noreturn]] void Fail(const std::string& got) const {
    throw ModelError(name_, "an undamaged torch.export archive (.pt2)", got, "export it again");
  }

  std::string_view Slice(std::size_t start, std::size_t size) const {
    if (start > bytes_.size() || size > bytes_.size() - start) Fail("a truncated file");
    return bytes_.substr(start, size);
  }

  template <class T>
  T Number(std::size_t start) const {
    T value = 0;
    const std::string_view bytes = Slice(start, sizeof(T));
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i));
    }
    return value;
  }
  std::uint32_t Number16(std::size_t start) const { return Number<std::uint16_t>(start); }
  std::uint32_t Number32(std::size_t start) const { return Number<std::uint32_t>(start); }

  std::size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  const std::string& name_;
};

// Where the directory lies and what it holds.
struct Directory {
  std::size_t start;
  std::size_t size;
  std::size_t count;
};

// The directory according to the end of the file, which may have it in 64 bits as well: then the
// values in 32 bits are the same, for the file is below 4 GiB.
Directory FindDirectory(const Bytes& file) {
  if (file.size() < kEndSize) file.Fail("another kind of file");
  const std::size_t end = file.size() - kEndSize;
  if (file.Number32(end) != kEndSignature) file.Fail("a truncated or another kind of file");
  const Directory directory{file.Number32(end + 16), file.Number32(end + 12),
                            file.Number16(end + 10)};
  const bool is_alone = file.Number32(end + 4) == 0 && file.Number16(end + 8) == directory.count &&
                        file.Number16(end + 20) == 0;
  if (!is_alone) file.Fail("several disks, or a comment behind the end");
  std::size_t directory_end = end;
  if (end >= kLocatorSize + kEnd64Size && file.Number32(end - kLocatorSize) == kLocatorSignature) {
    const std::size_t locator = end - kLocatorSize;
    const std::size_t end64 = locator - kEnd64Size;
    const bool is_same = file.Number32(end64) == kEnd64Signature &&
                         file.Number<std::uint64_t>(end64 + 4) == kEnd64Size - 12 &&
                         file.Number<std::uint64_t>(end64 + 16) == 0 &&
                         file.Number<std::uint64_t>(end64 + 24) == directory.count &&
                         file.Number<std::uint64_t>(end64 + 32) == directory.count &&
                         file.Number<std::uint64_t>(end64 + 40) == directory.size &&
                         file.Number<std::uint64_t>(end64 + 48) == directory.start &&
                         file.Number32(locator + 4) == 0 &&
                         file.Number<std::uint64_t>(locator + 8) == end64 &&
                         file.Number32(locator + 16) == 1;
    if (!is_same) file.Fail("two directories that differ");
    directory_end = end64;
  }
  if (directory.start + directory.size != directory_end) file.Fail("bytes beside its records");
  return directory;
}

// What the directory says of a record.
struct Entry {
  std::string name;
  std::uint32_t flags;
  std::uint32_t crc;
  std::size_t size;
  std::size_t start;
  std::size_t entry_size;  // in the directory
};

Entry ReadEntry(const Bytes& file, std::size_t start) {
  if (file.Number32(start) != kEntrySignature) file.Fail("a damaged directory");
  const std::size_t name_size = file.Number16(start + 28);
  Entry entry{.name = std::string(file.Slice(start + kEntrySize, name_size)),
              .flags = file.Number16(start + 8),
              .crc = file.Number32(start + 16),
              .size = file.Number32(start + 24),
              .start = file.Number32(start + 42),
              .entry_size = kEntrySize + name_size};
  if (name_size == 0 || name_size > kMaxName) file.Fail("a record's name of a strange length");
  const std::string record = "the record " + Printable(entry.name);
  if (file.Number16(start + 10) != 0 || file.Number32(start + 20) != entry.size) {
    file.Fail(record + " compressed");
  }
  if (entry.size == kIn64 || entry.start == kIn64) file.Fail(record + " beyond 4 GiB");
  // Extra fields, a comment, another disk.
  if (file.Number16(start + 30) != 0 || file.Number16(start + 32) != 0 ||
      file.Number16(start + 34) != 0) {
    file.Fail(record + " with entries that torch does not write");
  }
  if ((entry.flags & ~(kHasDescriptor | kIsUtf8)) != 0) file.Fail(record + " encrypted");
  return entry;
}

// Checks the record itself and returns its content; `*next` is where the record after it starts.
std::string_view ReadRecord(const Bytes& file, const Entry& entry, std::size_t* next) {
  const std::string record = "the record " + Printable(entry.name);
  const auto check = [&](bool holds) {
    if (!holds) file.Fail(record + " unlike its entry in the directory");
  };
  const std::size_t start = entry.start;
  check(file.Number32(start) == kLocalSignature);
  check(file.Number16(start + 6) == entry.flags && file.Number16(start + 8) == 0);
  const std::size_t name_size = file.Number16(start + 26);
  check(file.Slice(start + kLocalSize, name_size) == entry.name);
  // torch pads the extra field, so that the content is aligned.
  const std::size_t content_start = start + kLocalSize + name_size + file.Number16(start + 28);
  const std::string_view content = file.Slice(content_start, entry.size);
  *next = content_start + entry.size;
  std::size_t sizes = start + 14;  // of CRC-32 and the two sizes
  if ((entry.flags & kHasDescriptor) != 0) {
    check(file.Number32(sizes) == 0 && file.Number32(sizes + 4) == 0 &&
          file.Number32(sizes + 8) == 0);
    check(file.Number32(*next) == kDescriptorSignature);
    sizes = *next + 4;
    *next += kDescriptorSize;
  }
  check(file.Number32(sizes) == entry.crc && file.Number32(sizes + 4) == entry.size &&
        file.Number32(sizes + 8) == entry.size);
  const uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
  if (crc != entry.crc) file.Fail(record + " with another checksum than its own");
  return content;
}

}  // namespace

ZipRecords ReadStoredZip(std::string_view bytes, const std::string& name) {
  const Bytes file(bytes, name);
  const Directory directory = FindDirectory(file);
  ZipRecords records;
  std::size_t position = directory.start;
  std::size_t next = 0;
  for (std::size_t i = 0; i < directory.count; ++i) {
    const Entry entry = ReadEntry(file, position);
    position += entry.entry_size;
    // In order and without gaps: no byte is in two records, and none in no record.
    if (entry.start != next) file.Fail("records that overlap or leave gaps");
    const std::string_view content = ReadRecord(file, entry, &next);
    if (!records.emplace(entry.name, content).second) {
      file.Fail("the record " + Printable(entry.name) + " twice");
    }
  }
  if (next != directory.start || position != directory.start + directory.size) {
    file.Fail("bytes beside its records");
  }
  return records;
}

}  // namespace bnbench::pt2
