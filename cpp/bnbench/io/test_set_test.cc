#include "bnbench/io/test_set.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/io/npy.h"
#include "bnbench/io/sha256.h"
#include "tests/fixtures.h"

using bnbench::DataError;
using bnbench::NpyHeader;
using bnbench::Sha256Hex;
using bnbench::Shape;
using bnbench::TestSet;
using bnbench::testing::ByteVector;
using bnbench::testing::GzipBytes;
using bnbench::testing::IdxBytes;
using bnbench::testing::Int64Bytes;
using bnbench::testing::TemporaryFolder;
using bnbench::testing::TinyImages;
using bnbench::testing::TinyLabels;
using bnbench::testing::ToString;
using bnbench::testing::WriteTinyTestSet;

namespace {

using Folders = std::vector<std::string>;

TestSet LoadTestSet(const std::string& folder) { return bnbench::LoadTestSet(Folders{folder}); }

Folders ListFolders(const std::map<std::string, const char*>& variables) {
  return bnbench::ListDataFolders([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second;
  });
}

}  // namespace

TEST_CASE("data are looked for where 'bnbench data' looks, in its order") {
  const std::string debian = "/usr/share/datasets/fashion-mnist";
  CHECK(ListFolders({}) == Folders{debian});
  CHECK(ListFolders({{"HOME", "/home/me"}}) == Folders{debian, "/home/me/.cache/bnbench"});
  CHECK(
      ListFolders({{"BNBENCH_DATA", "/data"}, {"HOME", "/home/me"}, {"XDG_CACHE_HOME", "/xdg"}}) ==
      Folders{"/data", debian, "/xdg/bnbench"});
  CHECK(ListFolders({{"BNBENCH_DATA", ""}, {"HOME", "/home/me"}, {"XDG_CACHE_HOME", ""}}) ==
        Folders{debian, "/home/me/.cache/bnbench"});
}

TEST_CASE("the first folder that has the test set is used") {
  const TemporaryFolder empty;
  const TemporaryFolder first;
  const TemporaryFolder second;
  WriteTinyTestSet(first, 4);
  WriteTinyTestSet(second, 5);
  CHECK(bnbench::LoadTestSet(Folders{empty.path(), first.path(), second.path()}).count() == 4);
  CHECK(bnbench::LoadTestSet(Folders{second.path(), first.path()}).count() == 5);
}

TEST_CASE("a folder with only one of the two files is an error, not skipped") {
  const TemporaryFolder half;
  const TemporaryFolder whole;
  half.Write("t10k-labels-idx1-ubyte.gz", "any");
  WriteTinyTestSet(whole, 4);
  CHECK_THROWS_WITH_AS(bnbench::LoadTestSet(Folders{half.path(), whole.path()}),
                       doctest::Contains("got only one of them; add the other"), DataError);
}

TEST_CASE("the test set is found in the folder itself") {
  const TemporaryFolder folder;
  WriteTinyTestSet(folder, 4);
  const TestSet set = LoadTestSet(folder.path());
  CHECK(set.count() == 4);
  CHECK(set.inputs().shape == bnbench::Shape{4, 28, 28});
  CHECK(set.inputs().dtype == bnbench::DType::kUint8);
  CHECK(std::ranges::equal(set.targets(), std::vector<std::int64_t>{0, 1, 2, 3}));
  CHECK_FALSE(set.is_fashion_mnist());
}

TEST_CASE("the test set is found in torchvision's layout, gzipped or not") {
  const TemporaryFolder folder;
  const std::string base = "FashionMNIST/raw/t10k-";
  folder.Write(base + "images-idx3-ubyte.gz",
               GzipBytes(ToString(IdxBytes({2, 28, 28}, TinyImages(2)))));
  folder.Write(base + "labels-idx1-ubyte", ToString(IdxBytes({2}, TinyLabels(2))));
  CHECK(LoadTestSet(folder.path()).count() == 2);
}

TEST_CASE("the raw file wins over the gzipped one") {
  const TemporaryFolder folder;
  WriteTinyTestSet(folder, 3);
  folder.Write("t10k-labels-idx1-ubyte.gz", "not even gzip");
  CHECK(LoadTestSet(folder.path()).count() == 3);
}

TEST_CASE("without a test set the error lists the folders searched and says what to do") {
  const TemporaryFolder folder;
  const std::string none = folder.File("none");
  const std::string message =
      "test set: expected t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (or .gz), got none in "
      "these folders or their FashionMNIST/raw: " +
      folder.path() + ", " + none +
      "; run 'bnbench data' to fetch them, or name their folder with --data";
  CHECK_THROWS_WITH_AS(bnbench::LoadTestSet(Folders{folder.path(), none}), message.c_str(),
                       DataError);
}

TEST_CASE("images and labels must belong together") {
  const TemporaryFolder folder;
  WriteTinyTestSet(folder, 3);
  SUBCASE("as many of one as of the other") {
    folder.Write("t10k-labels-idx1-ubyte", ToString(IdxBytes({2}, {0, 1})));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()),
                         doctest::Contains("one label for each of the 3 inputs, got 2 labels"),
                         DataError);
  }
  SUBCASE("images where images should be, and labels where labels should be") {
    folder.Write("t10k-images-idx3-ubyte", ToString(IdxBytes({3}, {0, 1, 2})));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()), doctest::Contains("of 3 dimension(s), got 1"),
                         DataError);
    WriteTinyTestSet(folder, 3);
    folder.Write("t10k-labels-idx1-ubyte", ToString(IdxBytes({3, 1, 1}, {0, 1, 2})));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()), doctest::Contains("of 1 dimension(s), got 3"),
                         DataError);
  }
}

TEST_CASE("a test set goes by the hashes of its files and of its values") {
  const TemporaryFolder folder;
  WriteTinyTestSet(folder, 4);
  const std::string images_file = Sha256Hex(IdxBytes({4, 28, 28}, TinyImages(4)));
  const std::string labels_file = Sha256Hex(IdxBytes({4}, TinyLabels(4)));
  const std::string images = Sha256Hex(TinyImages(4));
  const std::string labels = Sha256Hex(Int64Bytes({0, 1, 2, 3}));
  folder.Write("x.npy", NpyHeader("|u1", Shape{4, 28, 28}) + ToString(TinyImages(4)));
  folder.Write("y.npy", NpyHeader("<i8", Shape{4}) + Int64Bytes({0, 1, 2, 3}));
  TestSet from_idx = LoadTestSet(folder.path());
  TestSet from_npy = bnbench::LoadTestSet(folder.File("x.npy"), folder.File("y.npy"));
  for (TestSet* set : {&from_idx, &from_npy}) {
    CHECK_NOTHROW(set->CheckHashes(images_file, labels_file, "the owner"));
    CHECK_NOTHROW(set->CheckHashes(images, labels, "the owner"));
    CHECK_THROWS_WITH_AS(
        set->CheckHashes("xx", labels, "the owner"),
        doctest::Contains("test inputs: expected those of the owner, SHA-256 xx, got "), DataError);
    CHECK_THROWS_WITH_AS(
        set->CheckHashes(images, "xx", "the owner"),
        doctest::Contains("test targets: expected those of the owner, SHA-256 xx, got "),
        DataError);
  }
}

TEST_CASE("targets are whole numbers from 0 on, one per input") {
  const TemporaryFolder folder;
  const std::string inputs =
      folder.Write("x.npy", NpyHeader("<f4", Shape{3, 2}) + std::string(24, '\0'));
  const auto load = [&](const std::string& type, const Shape& shape, const std::string& values) {
    return bnbench::LoadTestSet(inputs, folder.Write("y.npy", NpyHeader(type, shape) + values));
  };
  CHECK(load("<i4", {3}, std::string("\1\0\0\0\0\1\0\0\0\0\0\0", 12)).targets()[1] == 256);
  CHECK(load("|u1", {3, 1}, std::string("\1\2\3")).targets()[2] == 3);
  CHECK_THROWS_WITH_AS(load("<f4", {3}, std::string(12, '\0')),
                       doctest::Contains("y.npy: expected classes as whole numbers, got float32"),
                       DataError);
  CHECK_THROWS_WITH_AS(load("|i1", {3}, std::string("\1\xff\3")),
                       doctest::Contains("expected classes from 0 on, got -1 for input 1"),
                       DataError);
  CHECK_THROWS_WITH_AS(load("|u1", {3, 2}, std::string(6, '\1')),
                       doctest::Contains("of shape (N,), got shape (3, 2)"), DataError);
  CHECK_THROWS_WITH_AS(load("|u1", {4}, std::string(4, '\1')),
                       doctest::Contains("one label for each of the 3 inputs, got 4 labels"),
                       DataError);
}

TEST_CASE("inputs need no targets") {
  const TemporaryFolder folder;
  const std::string inputs =
      folder.Write("x.npy", NpyHeader("<f4", Shape{3, 2}) + std::string(24, '\0'));
  TestSet set = bnbench::LoadTestSet(inputs, "");
  CHECK(set.count() == 3);
  CHECK_FALSE(set.has_targets());
  CHECK_NOTHROW(set.CheckHashes(Sha256Hex(std::string(24, '\0')), "any", "the owner"));
}
