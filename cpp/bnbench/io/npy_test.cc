#include "bnbench/io/npy.h"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/io/draft_file.h"
#include "tests/fixtures.h"

using bnbench::Array;
using bnbench::DataError;
using bnbench::DraftFile;
using bnbench::DType;
using bnbench::NpyFile;
using bnbench::NpyHeader;
using bnbench::UsageError;
using bnbench::testing::Contains;
using bnbench::testing::TemporaryFolder;

namespace {

using bnbench::Shape;

Array ParseNpy(std::string_view file) { return bnbench::ParseNpy(file, nullptr, "a.npy"); }

// A file of format 1.0 with this header and these values.
std::string NpyBytes(const std::string& header, const std::string& values) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>((header.size() + 1) & 0xff);
  file += static_cast<char>((header.size() + 1) >> 8);
  return file + header + "\n" + values;
}

}  // namespace

TEST_CASE("a header is NumPy's version 1.0 and fills 64 bytes") {
  const std::string header = NpyHeader("<f4", Shape{3, 10});
  CHECK(header.size() == 128);
  CHECK(header.starts_with(std::string("\x93NUMPY\x01\x00\x76\x00", 10) +
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 10), }   "));
  CHECK(header.ends_with("  \n"));
}

TEST_CASE("shapes are written as Python writes tuples") {
  CHECK(Contains(NpyHeader("|u1", Shape{}), "'shape': (), }"));
  CHECK(Contains(NpyHeader("|u1", Shape{7}), "'shape': (7,), }"));
  CHECK(Contains(NpyHeader("|u1", Shape{7, 8, 9}), "'shape': (7, 8, 9), }"));
}

TEST_CASE("every header is a multiple of 64 bytes long, whatever its shape") {
  Shape shape;
  for (std::size_t i = 0; i < 80; ++i) {
    shape.push_back(i);
    CHECK(NpyHeader("<f4", shape).size() % 64 == 0);
  }
  CHECK_THROWS_AS(NpyHeader("<f4", Shape(40'000)), UsageError);
}

TEST_CASE("values are found where they belong, in whatever order they were written") {
  const TemporaryFolder folder;
  const std::string path = folder.File("values.npy");
  DraftFile draft(path);
  NpyFile<float> file(&draft, Shape{2, 2});
  const std::array<float, 4> values = {1, 2, 3, 4};
  file.Write(2, std::span(values).subspan(2));
  file.Write(0, std::span(values).first(2));
  draft.Commit();
  const std::string content = folder.Read("values.npy");
  CHECK(content.starts_with(NpyHeader("<f4", Shape{2, 2})));
  CHECK(content.substr(128) ==
        std::string(reinterpret_cast<const char*>(values.data()), sizeof(values)));
}

TEST_CASE("the old file stays until Commit, and an abandoned draft is removed") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("values.npy", "the old one");
  {
    DraftFile draft(path);
    NpyFile<std::uint8_t> file(&draft, Shape{1});
    file.Write(0, std::array<std::uint8_t, 1>{5});
    CHECK(folder.Read("values.npy") == "the old one");
  }
  CHECK(folder.Read("values.npy") == "the old one");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  DraftFile draft(path);
  NpyFile<std::uint8_t> file(&draft, Shape{1});
  file.Write(0, std::array<std::uint8_t, 1>{5});
  draft.Commit();
  CHECK(folder.Read("values.npy").ends_with("\n\x05"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("what is written is read, without being copied") {
  for (const Shape& shape : {Shape{3}, Shape{2, 3}, Shape{1, 1, 7}, Shape{}}) {
    std::size_t count = 1;
    for (const std::size_t size : shape) count *= size;
    const std::string file = NpyHeader("<i4", shape) + std::string(4 * count, 'x');
    const Array array = ParseNpy(file);
    CHECK(array.dtype == DType::kInt32);
    CHECK(array.shape == shape);
    CHECK(static_cast<const void*>(array.bytes.data()) == file.data() + file.size() - 4 * count);
  }
}

TEST_CASE("every type that torch has is read by NumPy's name") {
  const std::vector<std::pair<const char*, DType>> types = {
      {"|b1", DType::kBool},    {"|u1", DType::kUint8},   {"|i1", DType::kInt8},
      {"<i2", DType::kInt16},   {"<i4", DType::kInt32},   {"<i8", DType::kInt64},
      {"<f2", DType::kFloat16}, {"<f4", DType::kFloat32}, {"<f8", DType::kFloat64}};
  for (const auto& [name, dtype] : types) {
    const std::string values(bnbench::SizeOf(dtype), '\1');
    CHECK(ParseNpy(NpyHeader(name, Shape{1}) + values).dtype == dtype);
  }
}

TEST_CASE("what is no array of numbers in C order is refused with what it is") {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  CHECK_NOTHROW(ParseNpy(NpyBytes(good, "12345678")));
  struct Case {
    std::string file;
    const char* message;
  };
  const auto with = [&](const char* old_part, const char* new_part) {
    return NpyBytes(bnbench::testing::Replace(good, old_part, new_part), "12345678");
  };
  const std::string whole = NpyBytes(good, "12345678");
  const std::vector<Case> cases = {
      {"", "a.npy: expected a .npy file, got other bytes"},
      {"PK\x03\x04 and more", "expected a .npy file"},
      {whole.substr(0, 40), "expected a whole .npy header, got a cut one"},
      {whole.substr(0, whole.size() - 1), "expected 8 bytes of values, as announced, got 7"},
      {whole + "x", "got 9 (too long)"},
      {with("<f4", "|O"), "expected numbers, got Python objects ('|O')"},
      {with("<f4", ">f4"), "expected little-endian numbers"},
      {with("<f4", "<c8"), "of a type that torch has, got '<c8'"},
      {with("'<f4'", "[('a', '<f4')]"), "got a table of several fields"},
      {with("False", "True"), "expected an array in C order, got one in Fortran order"},
      {with("(1, 2)", "(1, 0)"), "got shape (1, 0)"},
      {with("(1, 2)", "(9999999999999999, 9999999999999999)"), "expected an array of 1 to"},
      {with("(1, 2)", "(1, 99999999999999999999)"), "a dimension of more than 18 digits"},
      {with("(1, 2)", "(1, -2)"), "a dimension that is no number"},
      {with("(1, 2)", "(1, 2"), "got a dimension that is no number"},
      {with("(1, 2)", "(1; 2)"), "no ')' where it belongs"},
      {with("'shape'", "'form'"), "got the key 'form'"},
      {with("'fortran_order': False, ", ""), "got not all three"},
      {with(", }", ", } and"), "got more text"},
  };
  for (const Case& wrong : cases) {
    CAPTURE(wrong.message);
    CHECK_THROWS_WITH_AS(ParseNpy(wrong.file), doctest::Contains(wrong.message), DataError);
  }
  std::string newer = whole;
  newer[6] = 4;
  CHECK_THROWS_WITH_AS(ParseNpy(newer), doctest::Contains("got 4.0"), DataError);
}

TEST_CASE("a place where no file can be is a usage error that names it") {
  const TemporaryFolder folder;
  const std::string nowhere = folder.File("none/values.npy");
  CHECK_THROWS_WITH_AS(DraftFile{nowhere}, doctest::Contains(nowhere.c_str()), UsageError);
  CHECK_THROWS_WITH_AS(
      DraftFile{folder.path()},
      doctest::Contains("expected a file to write, got something that is no regular file"),
      UsageError);
  CHECK_THROWS_WITH_AS(
      DraftFile{"/dev/null"},
      doctest::Contains("expected a file to write, got something that is no regular file"),
      UsageError);
}
