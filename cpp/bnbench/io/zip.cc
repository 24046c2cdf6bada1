#include "bnbench/io/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <set>
#include <stdexcept>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDirectoryHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kEnd64Size = 56;
constexpr std::size_t kLocatorSize = 20;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the value stands in the 64-bit field
constexpr std::size_t kMaxEntries = 65'536;

// Little-endian numbers at places of an archive.
class ArchiveReader {
 public:
  ArchiveReader(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  [[noreturn]] void Fail(const std::string& expected, const std::string& got) const {
    throw DataError(name_, expected, got, "write it with numpy.savez");
  }

  std::string_view Take(std::size_t start, std::size_t size) const {
    if (start > bytes_.size() || size > bytes_.size() - start) {
      Fail("a whole zip archive", "a cut one");
    }
    return bytes_.substr(start, size);
  }

  template <class T>
  T Get(std::size_t start) const {
    const std::string_view bytes = Take(start, sizeof(T));
    T value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) {
      value = static_cast<T>(static_cast<T>(value << 8 * (sizeof(T) > 1)) |
                             static_cast<unsigned char>(bytes[i]));
    }
    return value;
  }

  std::size_t size() const { return bytes_.size(); }
  const std::string& name() const { return name_; }

 private:
  std::string_view bytes_;
  const std::string& name_;
};

struct Directory {
  std::size_t start;
  std::size_t size;
  std::size_t num_entries;
  std::size_t end;  // where what follows the directory begins
};

Directory FindDirectory(const ArchiveReader& archive) {
  if (archive.size() < kEndSize || archive.Get<std::uint32_t>(archive.size() - kEndSize) != kEnd ||
      archive.Get<std::uint16_t>(archive.size() - 2) != 0) {
    archive.Fail("a zip archive, with nothing after its end", "other bytes");
  }
  const std::size_t end = archive.size() - kEndSize;
  Directory directory{archive.Get<std::uint32_t>(end + 16), archive.Get<std::uint32_t>(end + 12),
                      archive.Get<std::uint16_t>(end + 10), end};
  if (archive.Get<std::uint32_t>(end + 4) != 0 ||
      archive.Get<std::uint16_t>(end + 8) != directory.num_entries) {
    archive.Fail("an archive in one part", "one of several");
  }
  if (end >= kLocatorSize && archive.Get<std::uint32_t>(end - kLocatorSize) == kEnd64Locator) {
    const auto end64 = static_cast<std::size_t>(archive.Get<std::uint64_t>(end - 12));
    if (end < kLocatorSize + kEnd64Size || end64 != end - kLocatorSize - kEnd64Size ||
        archive.Get<std::uint32_t>(end64) != kEnd64) {
      archive.Fail("the 64-bit end of an archive before its end", "another place");
    }
    directory = {archive.Get<std::uint64_t>(end64 + 48), archive.Get<std::uint64_t>(end64 + 40),
                 archive.Get<std::uint64_t>(end64 + 32), end64};
  }
  if (directory.size > directory.end || directory.start != directory.end - directory.size) {
    archive.Fail("the directory right before the archive's end", "another place");
  }
  if (directory.num_entries > kMaxEntries) {
    archive.Fail("at most " + std::to_string(kMaxEntries) + " entries",
                 std::to_string(directory.num_entries));
  }
  return directory;
}

// One entry and where it lies.
struct Placed {
  ZipEntry entry;
  std::size_t start;  // of its local header
  std::size_t end;    // of its content
};

// Takes the 64-bit fields that stand in for those of 32 bits, in the order of the format.
void Widen(const ArchiveReader& archive, std::size_t extra, std::size_t extra_size,
           std::initializer_list<std::size_t*> fields) {
  const bool needed = std::ranges::any_of(fields, [](auto* field) { return *field == kIn64; });
  if (!needed) return;
  const std::size_t end = extra + extra_size;
  while (extra + 4 <= end) {
    const auto id = archive.Get<std::uint16_t>(extra);
    const std::size_t next = extra + 4 + archive.Get<std::uint16_t>(extra + 2);
    if (next > end) break;
    extra += 4;
    if (id == kZip64Extra) {
      for (std::size_t* field : fields) {
        if (*field != kIn64) continue;
        if (extra + 8 > next) archive.Fail("a 64-bit size for each that needs one", "fewer");
        *field = static_cast<std::size_t>(archive.Get<std::uint64_t>(extra));
        extra += 8;
      }
      return;
    }
    extra = next;
  }
  archive.Fail("a 64-bit size for each that needs one", "none");
}

Placed ReadEntry(const ArchiveReader& archive, std::size_t header, std::size_t directory_start,
                 std::size_t* next) {
  if (archive.Get<std::uint32_t>(header) != kDirectoryHeader) {
    archive.Fail("an entry of the directory", "other bytes");
  }
  const auto flags = archive.Get<std::uint16_t>(header + 8);
  const auto method = archive.Get<std::uint16_t>(header + 10);
  std::size_t packed_size = archive.Get<std::uint32_t>(header + 20);
  std::size_t size = archive.Get<std::uint32_t>(header + 24);
  const std::size_t name_size = archive.Get<std::uint16_t>(header + 28);
  const std::size_t extra_size = archive.Get<std::uint16_t>(header + 30);
  const std::size_t comment_size = archive.Get<std::uint16_t>(header + 32);
  std::size_t start = archive.Get<std::uint32_t>(header + 42);
  const std::string name(archive.Take(header + 46, name_size));
  Widen(archive, header + 46 + name_size, extra_size, {&size, &packed_size, &start});
  *next = header + 46 + name_size + extra_size + comment_size;

  if ((flags & 1) != 0) archive.Fail("entries without encryption", "an encrypted one");
  if (method != 0 && method != 8) {
    archive.Fail("entries that are stored or deflated", "method " + std::to_string(method));
  }
  if (archive.Get<std::uint32_t>(start) != kLocalHeader ||
      archive.Get<std::uint16_t>(start + 8) != method ||
      archive.Get<std::uint16_t>(start + 26) != name_size ||
      archive.Take(start + 30, name_size) != name) {
    archive.Fail("a local header for each entry of the directory", "another one");
  }
  const std::size_t content = start + 30 + name_size + archive.Get<std::uint16_t>(start + 28);
  if (content > directory_start || packed_size > directory_start - content) {
    archive.Fail("a whole zip archive", "an entry that reaches into the directory");
  }
  if (method == 0 && packed_size != size) {
    archive.Fail("a stored entry of one size", "two sizes");
  }
  ZipEntry entry{name, archive.Take(content, packed_size), size,
                 archive.Get<std::uint32_t>(header + 16), method == 8};
  return {std::move(entry), start, content + packed_size};
}

class RawInflater {
 public:
  RawInflater() {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) {
      throw std::runtime_error("zlib could not be started");
    }
  }
  ~RawInflater() { inflateEnd(&stream_); }
  RawInflater(const RawInflater&) = delete;
  RawInflater& operator=(const RawInflater&) = delete;
  z_stream* get() { return &stream_; }

 private:
  z_stream stream_{};
};

constexpr std::size_t kMaxPart = std::numeric_limits<uInt>::max();

}  // namespace

std::vector<ZipEntry> ListZip(std::string_view bytes, const std::string& name) {
  const ArchiveReader archive(bytes, name);
  const Directory directory = FindDirectory(archive);
  std::vector<Placed> placed;
  std::set<std::string> names;
  std::size_t header = directory.start;
  for (std::size_t i = 0; i < directory.num_entries; ++i) {
    placed.push_back(ReadEntry(archive, header, directory.start, &header));
    if (!names.insert(placed.back().entry.name).second) {
      archive.Fail("entries of different names", "two of one name");
    }
  }
  if (header != directory.end) archive.Fail("a directory of its announced size", "another size");

  std::vector<ZipEntry> entries;
  entries.reserve(placed.size());
  for (const Placed& each : placed) entries.push_back(each.entry);
  std::ranges::sort(placed, {}, &Placed::start);
  for (std::size_t i = 1; i < placed.size(); ++i) {
    if (placed[i].start < placed[i - 1].end) {
      archive.Fail("entries beside each other", "two over the same bytes");
    }
  }
  return entries;
}

std::vector<std::byte> InflateEntry(const ZipEntry& entry, std::size_t max_bytes,
                                    const std::string& name) {
  // zlib packs at most 1032 to 1, so that an announced size is believed only within that.
  if (entry.size > max_bytes || entry.size / 1032 > entry.content.size()) {
    throw DataError(
        name, "an entry of at most " + std::to_string(max_bytes) + " bytes",
        std::to_string(entry.size) + " bytes in " + std::to_string(entry.content.size()));
  }
  std::vector<std::byte> output(entry.size);
  RawInflater inflater;
  z_stream* stream = inflater.get();
  std::size_t consumed = 0;
  std::size_t produced = 0;
  std::byte beyond{};  // what is too long writes here, and is seen
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    const std::size_t input = std::min(entry.content.size() - consumed, kMaxPart);
    const bool is_full = produced == output.size();
    const std::size_t room = is_full ? 1 : std::min(output.size() - produced, kMaxPart);
    stream->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(entry.content.data() + consumed));
    stream->avail_in = static_cast<uInt>(input);
    stream->next_out = reinterpret_cast<Bytef*>(is_full ? &beyond : output.data() + produced);
    stream->avail_out = static_cast<uInt>(room);
    status = inflate(stream, Z_NO_FLUSH);
    const std::size_t took = input - stream->avail_in;
    const std::size_t made = room - stream->avail_out;
    consumed += took;
    if ((status != Z_OK && status != Z_STREAM_END) || (is_full && made > 0) ||
        (took == 0 && made == 0 && status != Z_STREAM_END)) {
      throw DataError(name, "deflated data of " + std::to_string(entry.size) + " bytes",
                      "damaged data");
    }
    if (!is_full) produced += made;
  }
  if (produced != output.size() || consumed != entry.content.size()) {
    throw DataError(name, "deflated data of " + std::to_string(entry.size) + " bytes",
                    "another size");
  }
  return output;
}

void CheckCrc(const ZipEntry& entry, std::string_view bytes, const std::string& name) {
  const auto found = static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  if (found != entry.crc) {
    throw DataError(name, "bytes with their checksum", "damaged bytes", "copy the file again");
  }
}

}  // namespace bnbench
