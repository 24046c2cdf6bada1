// Reads zip archives: entries that are stored or deflated, as numpy.savez writes them.
#ifndef BNBENCH_IO_ZIP_H_
#define BNBENCH_IO_ZIP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bnbench {

struct ZipEntry {
  std::string name;
  std::string_view content;  // as it lies in the archive
  std::size_t size = 0;      // once it is inflated
  std::uint32_t crc = 0;
  bool is_deflated = false;
};

// The entries of an archive. Strict: nothing after the archive's end, no encryption, no two entries
// of one name or over the same bytes, local headers that agree with the directory. Throws
// DataError, which calls the archive `name`.
std::vector<ZipEntry> ListZip(std::string_view archive, const std::string& name);

// Inflates a deflated entry. It has exactly `entry.size` bytes, which are refused above `max_bytes`
// before they are made. Throws DataError.
std::vector<std::byte> InflateEntry(const ZipEntry& entry, std::size_t max_bytes,
                                    const std::string& name);

// Throws DataError unless `bytes` have the entry's checksum.
void CheckCrc(const ZipEntry& entry, std::string_view bytes, const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_IO_ZIP_H_
