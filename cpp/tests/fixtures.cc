#include "tests/fixtures.h"

#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "bnbench/io/sha256.h"

namespace bnbench::testing {
namespace {

constexpr std::size_t kImageSize = std::size_t{28} * 28;

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "bnbench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::Write(const std::string& name, std::string_view bytes) const {
  const std::filesystem::path file = path_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!stream) throw std::runtime_error("cannot write " + file.string());
  return file.string();
}

std::string TemporaryFolder::Read(const std::string& name) const {
  std::ifstream stream(path_ / name, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + File(name));
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string ToString(const ByteVector& bytes) { return {bytes.begin(), bytes.end()}; }

ByteVector IdxBytes(const std::vector<std::uint32_t>& shape, const ByteVector& values) {
  ByteVector bytes = {0, 0, 0x08, static_cast<std::uint8_t>(shape.size())};
  for (const std::uint32_t size : shape) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<std::uint8_t>(size >> shift));
    }
  }
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

std::string GzipBytes(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2");
  }
  std::string output(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  const int status = deflate(&stream, Z_FINISH);
  output.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("deflate");
  return output;
}

namespace {

std::string LittleEndian(std::size_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) {
    bytes += i < 8 ? static_cast<char>(value >> 8 * i & 0xff) : '\0';
  }
  return bytes;
}

std::string Deflate(const std::string& content) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2");
  }
  std::string output(deflateBound(&stream, static_cast<uLong>(content.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  deflate(&stream, Z_FINISH);
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}

}  // namespace

std::string ZipBytes(const std::vector<ZipMember>& members) {
  std::string archive;
  std::string directory;
  for (const ZipMember& member : members) {
    const std::string packed = member.deflates ? Deflate(member.content) : member.content;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(member.content.data()),
                           static_cast<uInt>(member.content.size()));
    // From the flags to the length of the extra field, which both headers have.
    const std::string middle = LittleEndian(0, 2) + LittleEndian(member.deflates ? 8 : 0, 2) +
                               LittleEndian(0, 4) + LittleEndian(crc, 4) +
                               LittleEndian(packed.size(), 4) +
                               LittleEndian(member.content.size(), 4) +
                               LittleEndian(member.name.size(), 2) + LittleEndian(0, 2);
    directory += "PK\x01\x02" + LittleEndian(20, 2) + LittleEndian(20, 2) + middle +
                 LittleEndian(0, 10) + LittleEndian(archive.size(), 4) + member.name;
    archive += "PK\x03\x04" + LittleEndian(20, 2) + middle + member.name + packed;
  }
  const std::string end = "PK\x05\x06" + LittleEndian(0, 4) + LittleEndian(members.size(), 2) +
                          LittleEndian(members.size(), 2) + LittleEndian(directory.size(), 4) +
                          LittleEndian(archive.size(), 4) + LittleEndian(0, 2);
  return archive + directory + end;
}

std::string SafetensorsBytes(const std::string& header, const std::string& values) {
  return LittleEndian(header.size(), 8) + header + values;
}

std::string Replace(std::string text, std::string_view old_part, std::string_view new_part) {
  const std::size_t start = text.find(old_part);
  if (start == std::string::npos) throw std::runtime_error("no " + std::string(old_part));
  return text.replace(start, old_part.size(), new_part);
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

ByteVector TinyLabels(std::uint32_t count) {
  ByteVector labels;
  for (std::uint32_t i = 0; i < count; ++i) labels.push_back(static_cast<std::uint8_t>(i % 10));
  return labels;
}

ByteVector TinyImages(std::uint32_t count) {
  ByteVector images(std::size_t{count} * kImageSize);
  for (std::size_t i = 0; i < count; ++i) images[i * kImageSize + i % 10] = 255;
  return images;
}

void WriteTinyTestSet(const TemporaryFolder& folder, std::uint32_t count) {
  folder.Write("t10k-images-idx3-ubyte", ToString(IdxBytes({count, 28, 28}, TinyImages(count))));
  folder.Write("t10k-labels-idx1-ubyte", ToString(IdxBytes({count}, TinyLabels(count))));
}

std::string TinyImagesSha256() { return Sha256Hex(IdxBytes({12, 28, 28}, TinyImages(12))); }

std::string SealManifest(const std::string& body) {
  return body + ",\n  \"manifest_sha256\": \"" + Sha256Hex(body) + "\"\n}\n";
}

std::string Int64Bytes(const std::vector<std::int64_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::int64_t)};
}

std::string SecondManifestBody(std::string_view model) {
  std::vector<std::int64_t> classes(12);
  std::string list;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    classes[i] = static_cast<std::int64_t>(i % 10);
    list += (i > 0 ? "," : "") + std::to_string(classes[i]);
  }
  return R"({
  "format_version": 2,
  "model": {"file": "tiny.pt", "sha256": ")" +
         Sha256Hex(model) + R"(", "size_bytes": )" + std::to_string(model.size()) +
         R"(, "format": "torchscript"},
  "input": {"shape": [28,28], "dtype": "uint8", "preprocessing": [
    {"step": "divide", "by": 255.0}, {"step": "reshape", "shape": [1,28,28]}]},
  "output": {"kind": "logits", "num_classes": 10, "element": null},
  "data": {"name": "tiny", "inputs_sha256": ")" +
         Sha256Hex(TinyImages(12)) + R"(", "targets_sha256": ")" + Sha256Hex(Int64Bytes(classes)) +
         R"("},
  "versions": {"bnbench": "0.2.0", "torch": "2.14.1"},
  "expected": {
    "total": 12, "correct": 12,
    "predictions": [)" +
         list + R"(], "predictions_sha256": ")" + Sha256Hex(Int64Bytes(classes)) + R"(",
    "probes": {"indices": [3], "logits": [[0,0,0,1.0,0,0,0,0,0,0]]}
  })";
}

std::string TinyManifestBody(std::string_view model) {
  const std::string predictions = "012345678901";
  return R"({
  "format_version": 1,
  "model": {"file": "tiny.pt", "sha256": ")" +
         Sha256Hex(model) + R"(", "size_bytes": )" + std::to_string(model.size()) + R"(},
  "seed": 0,
  "versions": {"bnbench": "0.1.0", "torch": "2.14.1+cu130"},
  "data": {"name": "tiny", "test_images_sha256": ")" +
         TinyImagesSha256() + R"(", "test_labels_sha256": ")" +
         Sha256Hex(IdxBytes({12}, TinyLabels(12))) + R"("},
  "expected": {
    "total": 12, "correct": 12,
    "predictions": ")" +
         predictions + R"(", "predictions_sha256": ")" + Sha256Hex(predictions) + R"(",
    "probes": {"indices": [3], "logits": [[0, 0, 0, 1.0, 0, 0, 0, 0, 0, 0]]}
  })";
}

}  // namespace bnbench::testing
