#include "bnbench/io/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>
#include <utility>

#include "bnbench/errors.h"

namespace bnbench {

static_assert(std::endian::native == std::endian::little,
              "values are written as they lie in memory");

std::string NpyHeader(std::string_view type, std::span<const std::size_t> shape) {
  constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
  constexpr std::size_t kLengthSize = 2;
  constexpr std::size_t kAlignment = 64;
  std::string text = "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i > 0 ? " " : "") + std::to_string(shape[i]);
    // Python writes a tuple of one with a comma.
    if (i + 1 < shape.size() || shape.size() == 1) text += ",";
  }
  text += "), }";
  const std::size_t used = kMagic.size() + kLengthSize + text.size() + 1;
  text.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  text += '\n';
  if (text.size() > std::numeric_limits<std::uint16_t>::max()) {
    throw UsageError("shape", "a header of at most 65535 bytes, as .npy version 1.0 has it",
                     std::to_string(shape.size()) + " dimensions");
  }
  std::string header(kMagic);
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr char kSaveAgain[] = "write it with numpy.save";

struct NpyType {
  std::string_view descr;
  DType dtype;
};

constexpr std::array<NpyType, 9> kNpyTypes = {{
    {"|b1", DType::kBool},
    {"|u1", DType::kUint8},
    {"|i1", DType::kInt8},
    {"<i2", DType::kInt16},
    {"<i4", DType::kInt32},
    {"<i8", DType::kInt64},
    {"<f2", DType::kFloat16},
    {"<f4", DType::kFloat32},
    {"<f8", DType::kFloat64},
}};

// Reads the header's dictionary, as NumPy writes it, from its front.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  [[noreturn]] void Fail(const std::string& got) const {
    throw DataError(name_, "a .npy header with descr, fortran_order and shape", got, kSaveAgain);
  }

  bool Skip(std::string_view part) {
    SkipSpaces();
    if (!text_.starts_with(part)) return false;
    text_.remove_prefix(part.size());
    return true;
  }

  void Expect(std::string_view part) {
    if (!Skip(part)) Fail("no '" + std::string(part) + "' where it belongs");
  }

  std::string_view TakeText() {
    Expect("'");
    const std::size_t end = text_.find('\'');
    if (end == std::string_view::npos) Fail("a text without an end");
    const std::string_view taken = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return taken;
  }

  Shape TakeShape() {
    Shape shape;
    Expect("(");
    while (!Skip(")")) {
      if (shape.size() == kMaxDimensions) Fail("more than 32 dimensions");
      shape.push_back(TakeNumber());
      if (!Skip(",")) {
        Expect(")");
        break;
      }
    }
    return shape;
  }

  void ExpectEnd() {
    SkipSpaces();
    if (text_ != "\n") Fail("more text");
  }

 private:
  static constexpr std::size_t kMaxDimensions = 32;

  void SkipSpaces() { text_.remove_prefix(std::min(text_.find_first_not_of(' '), text_.size())); }

  std::size_t TakeNumber() {
    SkipSpaces();
    std::size_t digits = 0;
    std::size_t number = 0;
    while (digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9') {
      if (digits == 18) Fail("a dimension of more than 18 digits");
      number = 10 * number + static_cast<std::size_t>(text_[digits] - '0');
      ++digits;
    }
    if (digits == 0) Fail("a dimension that is no number");
    text_.remove_prefix(digits);
    return number;
  }

  std::string_view text_;
  const std::string& name_;
};

DType ChooseType(std::string_view descr, const std::string& name) {
  const auto* found = std::ranges::find(kNpyTypes, descr, &NpyType::descr);
  if (found != kNpyTypes.end()) return found->dtype;
  const std::string got = "'" + std::string(descr.substr(0, 20)) + "'";
  if (descr.find('O') != std::string_view::npos) {
    throw DataError(name, "numbers", "Python objects (" + got + ")", "save an array of numbers");
  }
  throw DataError(name, "little-endian numbers or bytes of a type that torch has", got,
                  "convert the array with astype before saving it");
}

// The header's text, and in `*start` where the values begin.
std::string_view TakeHeader(std::string_view file, const std::string& name, std::size_t* start) {
  if (!file.starts_with(kMagic) || file.size() < 10) {
    throw DataError(name, "a .npy file", "other bytes", kSaveAgain);
  }
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(file[i])}; };
  const std::size_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0) {
    throw DataError(name, "a .npy file of format 1.0, 2.0 or 3.0",
                    std::to_string(version) + "." + std::to_string(byte(7)), kSaveAgain);
  }
  const std::size_t before = version == 1 ? 10 : 12;
  std::size_t length = 0;
  if (file.size() >= before) {
    for (std::size_t i = before; i-- > 8;) length = length << 8 | byte(i);
  }
  if (file.size() < before || length > file.size() - before) {
    throw DataError(name, "a whole .npy header", "a cut one", kSaveAgain);
  }
  *start = before + length;
  return file.substr(before, length);
}

}  // namespace

Array ParseNpy(std::string_view file, std::shared_ptr<const void> storage,
               const std::string& name) {
  std::size_t start = 0;
  HeaderReader header(TakeHeader(file, name, &start), name);
  std::optional<DType> dtype;
  std::optional<bool> is_fortran;
  std::optional<Shape> shape;
  header.Expect("{");
  while (!header.Skip("}")) {
    const std::string_view key = header.TakeText();
    header.Expect(":");
    if (key == "descr" && !dtype) {
      if (header.Skip("[")) header.Fail("a table of several fields");
      dtype = ChooseType(header.TakeText(), name);
    } else if (key == "fortran_order" && !is_fortran) {
      is_fortran = header.Skip("True");
      if (!*is_fortran) header.Expect("False");
    } else if (key == "shape" && !shape) {
      shape = header.TakeShape();
    } else {
      header.Fail("the key '" + std::string(key.substr(0, 20)) + "'");
    }
    if (!header.Skip(",")) {
      header.Expect("}");
      break;
    }
  }
  header.ExpectEnd();
  if (!dtype || !is_fortran || !shape) header.Fail("not all three");
  if (*is_fortran && shape->size() > 1) {
    throw DataError(name, "an array in C order", "one in Fortran order",
                    "save numpy.ascontiguousarray of it");
  }
  const std::size_t found = file.size() - start;
  const std::size_t expected =
      CountBytes(*shape, SizeOf(*dtype), std::numeric_limits<std::ptrdiff_t>::max(), name);
  if (found != expected) {
    throw DataError(name, std::to_string(expected) + " bytes of values, as announced",
                    std::to_string(found) + (found < expected ? " (truncated)" : " (too long)"));
  }
  return {*dtype, *std::move(shape), std::as_bytes(std::span(file.data() + start, found)),
          std::move(storage), ""};
}

}  // namespace bnbench
