// Whatever is written as .npy is what a reader of its own, written after the format's description,
// finds in the file. The input: a byte for the type, one for the number of dimensions, a byte for
// each dimension, then values.

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "bnbench/io/npy.h"
#include "fuzz/fuzz.h"

namespace {

using bnbench::fuzz::Require;
using Shape = std::vector<std::size_t>;

constexpr std::size_t kMaxValues = 1 << 14;

struct Found {
  std::string type;
  Shape shape;
  std::string values;
};

void Skip(std::string_view* text, std::string_view part) {
  Require(text->starts_with(part), "the header is written as NumPy writes it");
  text->remove_prefix(part.size());
}

Found ReadNpy(const std::string& bytes) {
  std::string_view text(bytes);
  Skip(&text, std::string_view("\x93NUMPY\x01\x00", 8));
  Require(text.size() >= 2, "the header has a length");
  const std::size_t length =
      static_cast<unsigned char>(text[0]) + std::size_t{256} * static_cast<unsigned char>(text[1]);
  text.remove_prefix(2);
  Require((10 + length) % 64 == 0 && text.size() >= length, "values begin at a multiple of 64");
  Found found{"", {}, std::string(text.substr(length))};
  text = text.substr(0, length);
  Skip(&text, "{'descr': '");
  found.type = text.substr(0, text.find('\''));
  text.remove_prefix(found.type.size());
  Skip(&text, "', 'fortran_order': False, 'shape': (");
  while (!text.empty() && text[0] != ')') {
    std::size_t size = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      size = 10 * size + static_cast<std::size_t>(text[0] - '0');
      text.remove_prefix(1);
    }
    found.shape.push_back(size);
    if (found.shape.size() == 1 || text[0] != ')') Skip(&text, ",");
    if (!text.empty() && text[0] != ')') Skip(&text, " ");
  }
  Skip(&text, "), }");
  Require(text.find_first_not_of(' ') == text.size() - 1 && text.back() == '\n',
          "the header ends in spaces and a newline");
  return found;
}

// A folder in memory where there is one: each input writes a file, and sees that it is on the disk.
std::string ScratchFile() {
  namespace fs = std::filesystem;
  const fs::path memory = "/dev/shm";
  std::error_code ignored;
  const fs::path folder = fs::is_directory(memory, ignored) ? memory : fs::temp_directory_path();
  return (folder / ("bnbench-fuzz-" + std::to_string(getpid()) + ".npy")).string();
}

template <typename T>
void WriteAndRead(const Shape& shape, std::size_t count, const std::uint8_t* data,
                  std::size_t size) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count * sizeof(T) && size > 0; ++i) {
    reinterpret_cast<unsigned char*>(values.data())[i] = data[i % size];
  }
  const std::string path = ScratchFile();
  {
    bnbench::DraftFile draft(path);
    bnbench::NpyFile<T> file(&draft, shape);
    // In two parts, the later one first.
    const std::size_t half = count / 2;
    const std::span<const T> all(values);
    file.Write(half, all.subspan(half));
    file.Write(0, all.first(half));
    draft.Commit();
  }
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  unlink(path.c_str());
  const Found found = ReadNpy(bytes);
  if (count > 0 && shape.size() <= 32) {
    const bnbench::Array array = bnbench::ParseNpy(bytes, nullptr, "input");
    Require(array.shape == shape, "our reader finds the shape");
    Require(array.bytes.size() == count * sizeof(T), "our reader finds the values");
  }
  Require(found.type == bnbench::NpyFile<T>::kType, "the type comes back");
  Require(found.shape == shape, "the shape comes back");
  Require(
      found.values.size() == count * sizeof(T) &&
          (count == 0 || std::memcmp(found.values.data(), values.data(), found.values.size()) == 0),
      "the values come back, bit by bit");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool is_float = (data[0] & 1) != 0;
  const std::size_t rank = std::min<std::size_t>(data[1], size - 2);
  const Shape shape(data + 2, data + 2 + rank);
  std::size_t count = 1;
  for (const std::size_t dimension : shape) {
    count *= dimension;
    if (count > kMaxValues) return 0;
  }
  data += 2 + rank;
  size -= 2 + rank;
  if (is_float) {
    WriteAndRead<float>(shape, count, data, size);
  } else {
    WriteAndRead<std::uint8_t>(shape, count, data, size);
  }
  return 0;
}
