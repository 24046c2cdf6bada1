// Small data made by the tests themselves, and folders to keep it in.
#ifndef BNBENCH_TESTS_FIXTURES_H_
#define BNBENCH_TESTS_FIXTURES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bnbench::testing {

// A folder of its own, removed with everything in it at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path() const { return path_.string(); }
  // The path of `name` in the folder; nothing is made.
  std::string File(const std::string& name) const { return (path_ / name).string(); }
  // Writes a file, with the folders above it, and returns its path.
  std::string Write(const std::string& name, std::string_view bytes) const;
  // The bytes of the file `name` in the folder.
  std::string Read(const std::string& name) const;

 private:
  std::filesystem::path path_;
};

using ByteVector = std::vector<std::uint8_t>;

std::string ToString(const ByteVector& bytes);

// An IDX file of unsigned bytes: magic, `shape` in big-endian, `values`.
ByteVector IdxBytes(const std::vector<std::uint32_t>& shape, const ByteVector& values);

std::string GzipBytes(std::string_view bytes);

struct ZipMember {
  std::string name;
  std::string content;
  bool deflates;
};

// A zip archive of these members.
std::string ZipBytes(const std::vector<ZipMember>& members);

// A safetensors file with this header and these values.
std::string SafetensorsBytes(const std::string& header, const std::string& values);

// `text` with its first occurrence of `old_part`, which must be there, replaced.
std::string Replace(std::string text, std::string_view old_part, std::string_view new_part);

// doctest's own Contains only compares with C strings in the versions that distributions ship.
bool Contains(std::string_view text, std::string_view part);

// `count` labels 0, 1, ..., 9, 0, ... and images of which the pixel numbered like the label is 255
// and all others 0: a model that returns the first ten pixels gets each of them right.
ByteVector TinyLabels(std::uint32_t count);
ByteVector TinyImages(std::uint32_t count);

// Writes them to `folder` as t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte.
void WriteTinyTestSet(const TemporaryFolder& folder, std::uint32_t count);

// SHA-256 of the images of a tiny test set of 12.
std::string TinyImagesSha256();

// Appends the seal line to a manifest's body, which ends before it.
std::string SealManifest(const std::string& body);

// Values as they lie in a file of int64.
std::string Int64Bytes(const std::vector<std::int64_t>& values);

// The same as TinyManifestBody in the second format, with the hashes of the values.
std::string SecondManifestBody(std::string_view model);

// The body of a valid manifest of the first format over the tiny test set of 12 images for a model
// that returns the first ten pixels, with one probe at image 3. `model` are the bytes of its file.
std::string TinyManifestBody(std::string_view model);

}  // namespace bnbench::testing

#endif  // BNBENCH_TESTS_FIXTURES_H_
