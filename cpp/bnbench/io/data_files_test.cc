#include "bnbench/io/data_files.h"

#include <doctest/doctest.h>

#include <string>

#include "bnbench/errors.h"
#include "bnbench/io/npy.h"
#include "tests/fixtures.h"

using bnbench::Array;
using bnbench::DataError;
using bnbench::DType;
using bnbench::NpyHeader;
using bnbench::Shape;
using bnbench::testing::GzipBytes;
using bnbench::testing::IdxBytes;
using bnbench::testing::SafetensorsBytes;
using bnbench::testing::TemporaryFolder;
using bnbench::testing::ToString;
using bnbench::testing::ZipBytes;

namespace {

Array Read(const std::string& path) {
  return bnbench::ReadArray(path, "--inputs", {"inputs", "x_test"});
}

std::string Npy(char value) { return NpyHeader("|u1", Shape{1}) + value; }

char FirstOf(const Array& array) { return static_cast<char>(array.bytes[0]); }

}  // namespace

TEST_CASE("the first bytes say which format a file has, whatever its name") {
  const TemporaryFolder folder;
  CHECK(FirstOf(Read(folder.Write("a.bin", Npy('a')))) == 'a');
  CHECK(FirstOf(Read(folder.Write("b.bin", ZipBytes({{"x.npy", Npy('b'), false}})))) == 'b');
  CHECK(FirstOf(Read(folder.Write("c.bin", ZipBytes({{"x.npy", Npy('c'), true}})))) == 'c');
  const std::string header = R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  CHECK(FirstOf(Read(folder.Write("d.bin", SafetensorsBytes(header, "d")))) == 'd');
  const std::string idx = ToString(IdxBytes({1}, {'e'}));
  CHECK(FirstOf(Read(folder.Write("e.bin", idx))) == 'e');
  const Array packed = Read(folder.Write("f.bin", GzipBytes(idx)));
  CHECK(FirstOf(packed) == 'e');
  CHECK(packed.file_sha256.size() == 64);
  CHECK_THROWS_WITH_AS(Read(folder.Write("g.bin", "1,2,3\n")),
                       doctest::Contains("expected a .npy, .npz, .safetensors or IDX file"),
                       DataError);
  CHECK_THROWS_WITH_AS(Read(folder.File("none")),
                       doctest::Contains("expected the file of --inputs, got nothing there"),
                       DataError);
}

TEST_CASE("a member is named, or the only one, or has a usual name") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("a.npz", ZipBytes({{"x_train.npy", Npy('1'), false},
                                                           {"x_test.npy", Npy('2'), true},
                                                           {"inputs.npy", Npy('3'), false}}));
  CHECK(FirstOf(Read(path + ":x_train")) == '1');
  CHECK(FirstOf(Read(path)) == '3');
  CHECK_THROWS_WITH_AS(Read(path + ":y"),
                       doctest::Contains("expected an array named y, got x_train, x_test, inputs"),
                       DataError);
  const std::string other =
      folder.Write("b.npz", ZipBytes({{"a.npy", Npy('1'), false}, {"b.npy", Npy('2'), false}}));
  CHECK_THROWS_WITH_AS(Read(other),
                       doctest::Contains("one array, or one named inputs or x_test, got a, b"),
                       DataError);
  CHECK_THROWS_WITH_AS(Read(folder.Write("c.npy", Npy('1')) + ":x"),
                       doctest::Contains("of which x is one, got another format"), DataError);
  // A file may have a colon in its name.
  CHECK(FirstOf(Read(folder.Write("d:x", Npy('4')))) == '4');
}

TEST_CASE("a member whose bytes are damaged is refused") {
  const TemporaryFolder folder;
  std::string archive = ZipBytes({{"x.npy", Npy('1'), false}});
  archive[archive.find("PK\x01\x02") - 1] = '2';
  CHECK_THROWS_WITH_AS(Read(folder.Write("a.npz", archive)),
                       doctest::Contains("a.npz:x: expected bytes with their checksum"), DataError);
}

TEST_CASE("arrays keep their type and shape") {
  const TemporaryFolder folder;
  const Array array =
      Read(folder.Write("a.npy", NpyHeader("<f8", Shape{2, 3}) + std::string(48, '\0')));
  CHECK(array.dtype == DType::kFloat64);
  CHECK(array.shape == Shape{2, 3});
  CHECK(bnbench::FormatShape(array.shape) == "(2, 3)");
  CHECK(bnbench::FormatShape(Shape{3}) == "(3,)");
}
