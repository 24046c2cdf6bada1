#include "bnbench/io/test_set.h"

#include <doctest/doctest.h>

#include "bnbench/errors.h"
#include "bnbench/io/sha256.h"
#include "tests/fixtures.h"

using bnbench::DataError;
using bnbench::LoadTestSet;
using bnbench::TestSet;
using bnbench::testing::ByteVector;
using bnbench::testing::GzipBytes;
using bnbench::testing::IdxBytes;
using bnbench::testing::TemporaryFolder;
using bnbench::testing::TinyImages;
using bnbench::testing::TinyLabels;
using bnbench::testing::ToString;
using bnbench::testing::WriteTinyTestSet;

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

TEST_CASE("the test set is found in torchvision's layout, gzipped or not, and other splits too") {
  const TemporaryFolder folder;
  const std::string base = "FashionMNIST/raw/train-";
  folder.Write(base + "images-idx3-ubyte.gz",
               GzipBytes(ToString(IdxBytes({2, 28, 28}, TinyImages(2)))));
  folder.Write(base + "labels-idx1-ubyte", ToString(IdxBytes({2}, TinyLabels(2))));
  CHECK(LoadTestSet(folder.path(), "train").count() == 2);
  CHECK_THROWS_AS(LoadTestSet(folder.path(), "t10k"), DataError);
}

TEST_CASE("the raw file wins over the gzipped one") {
  const TemporaryFolder folder;
  WriteTinyTestSet(folder, 3);
  folder.Write("t10k-labels-idx1-ubyte.gz", "not even gzip");
  CHECK(LoadTestSet(folder.path()).count() == 3);
}

TEST_CASE("a folder without the files, or no folder, says what to do") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()),
                       doctest::Contains("got neither t10k-images-idx3-ubyte nor"), DataError);
  CHECK_THROWS_WITH_AS(LoadTestSet(folder.File("none")), doctest::Contains("does not exist"),
                       DataError);
  CHECK_THROWS_WITH_AS(LoadTestSet(""), doctest::Contains("--data"), DataError);
}

TEST_CASE("images and labels must belong together") {
  const TemporaryFolder folder;
  WriteTinyTestSet(folder, 3);
  SUBCASE("as many of one as of the other") {
    folder.Write("t10k-labels-idx1-ubyte", ToString(IdxBytes({2}, {0, 1})));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()),
                         doctest::Contains("got 3 images and 2 labels"), DataError);
  }
  SUBCASE("labels of 0 to 9") {
    folder.Write("t10k-labels-idx1-ubyte", ToString(IdxBytes({3}, {9, 0, 10})));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()), doctest::Contains("label 2 is 10"), DataError);
  }
  SUBCASE("images of 28 by 28 pixels") {
    folder.Write("t10k-images-idx3-ubyte",
                 ToString(IdxBytes({3, 28, 27}, ByteVector(3 * 28 * 27))));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()), doctest::Contains("28x27"), DataError);
  }
  SUBCASE("images where images should be, and labels where labels should be") {
    folder.Write("t10k-images-idx3-ubyte", ToString(IdxBytes({3}, {0, 1, 2})));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()),
                         doctest::Contains("must have 3 dimensions and has 1"), DataError);
    WriteTinyTestSet(folder, 3);
    folder.Write("t10k-labels-idx1-ubyte", ToString(IdxBytes({3, 1, 1}, {0, 1, 2})));
    CHECK_THROWS_WITH_AS(LoadTestSet(folder.path()),
                         doctest::Contains("must have 1 dimension and has 3"), DataError);
  }
}

TEST_CASE("a test set with other hashes is refused, naming which file it is") {
  const TestSet set{{}, {}, "aa", "bb"};
  CHECK_NOTHROW(CheckTestSetHashes(set, "aa", "bb", "the owner"));
  CHECK_THROWS_WITH_AS(CheckTestSetHashes(set, "xx", "bb", "the owner"),
                       doctest::Contains("the test images are not those of the owner"), DataError);
  CHECK_THROWS_WITH_AS(CheckTestSetHashes(set, "aa", "xx", "the owner"),
                       doctest::Contains("the test labels are not those of the owner"), DataError);
}
