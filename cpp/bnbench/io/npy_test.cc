#include "bnbench/io/npy.h"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <vector>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::NpyFile;
using bnbench::NpyHeader;
using bnbench::UsageError;
using bnbench::testing::Contains;
using bnbench::testing::TemporaryFolder;

namespace {

using Shape = std::vector<std::size_t>;

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
  NpyFile<float> file(path, Shape{2, 2});
  const std::array<float, 4> values = {1, 2, 3, 4};
  file.Write(2, std::span(values).subspan(2));
  file.Write(0, std::span(values).first(2));
  file.Commit();
  const std::string content = folder.Read("values.npy");
  CHECK(content.starts_with(NpyHeader("<f4", Shape{2, 2})));
  CHECK(content.substr(128) ==
        std::string(reinterpret_cast<const char*>(values.data()), sizeof(values)));
}

TEST_CASE("the old file stays until Commit, and an abandoned draft is removed") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("values.npy", "the old one");
  {
    NpyFile<std::uint8_t> file(path, Shape{1});
    file.Write(0, std::array<std::uint8_t, 1>{5});
    CHECK(folder.Read("values.npy") == "the old one");
  }
  CHECK(folder.Read("values.npy") == "the old one");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  NpyFile<std::uint8_t> file(path, Shape{1});
  file.Write(0, std::array<std::uint8_t, 1>{5});
  file.Commit();
  CHECK(folder.Read("values.npy").ends_with("\n\x05"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a place where no file can be is a usage error that names it") {
  const TemporaryFolder folder;
  const std::string nowhere = folder.File("none/values.npy");
  CHECK_THROWS_WITH_AS((NpyFile<float>(nowhere, Shape{1})), doctest::Contains(nowhere.c_str()),
                       UsageError);
  CHECK_THROWS_WITH_AS(
      (NpyFile<float>(folder.path(), Shape{1})),
      doctest::Contains("expected a file to write, got something that is no regular file"),
      UsageError);
  CHECK_THROWS_WITH_AS(
      (NpyFile<float>("/dev/null", Shape{1})),
      doctest::Contains("expected a file to write, got something that is no regular file"),
      UsageError);
}
