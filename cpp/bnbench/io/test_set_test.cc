#include "bnbench/io/test_set.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/io/sha256.h"
#include "tests/fixtures.h"

using bnbench::DataError;
using bnbench::TestSet;
using bnbench::testing::ByteVector;
using bnbench::testing::GzipBytes;
using bnbench::testing::IdxBytes;
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
  CHECK(set.labels == ByteVector{0, 1, 2, 3});
  CHECK(set.images == TinyImages(4));
  CHECK(set.images_sha256 == bnbench::Sha256Hex(IdxBytes({4, 28, 28}, TinyImages(4))));
  CHECK(set.labels_sha256 == bnbench::Sha256Hex(IdxBytes({4}, TinyLabels(4))));
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
                         doctest::Contains("one label for each of the 3 images, got 2 labels"),
                         DataError);
  }
  SUBCASE("labels of 0 to 9") {
    folder.Write("t10k-labels-idx1-ubyte", ToString(IdxBytes({3}, {9, 0, 10})));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()),
                         doctest::Contains("expected labels from 0 to 9, got 10 for image 2"),
                         DataError);
  }
  SUBCASE("images of 28 by 28 pixels") {
    folder.Write("t10k-images-idx3-ubyte",
                 ToString(IdxBytes({3, 28, 27}, ByteVector(3 * 28 * 27))));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()),
                         doctest::Contains("images of 28x28 pixels, got 28x27"), DataError);
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

TEST_CASE("a test set with other hashes is refused, naming which file it is") {
  const TestSet set{{}, {}, "aa", "bb"};
  CHECK_NOTHROW(CheckTestSetHashes(set, "aa", "bb", "the owner"));
  CHECK_THROWS_WITH_AS(
      CheckTestSetHashes(set, "xx", "bb", "the owner"),
      doctest::Contains("test images: expected those of the owner, SHA-256 xx, got aa; restore"),
      DataError);
  CHECK_THROWS_WITH_AS(
      CheckTestSetHashes(set, "aa", "xx", "the owner"),
      doctest::Contains("test labels: expected those of the owner, SHA-256 xx, got bb; restore"),
      DataError);
}
