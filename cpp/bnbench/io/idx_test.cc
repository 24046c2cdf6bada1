#include "bnbench/io/idx.h"

#include <doctest/doctest.h>

#include <numeric>

#include "bnbench/errors.h"
#include "bnbench/io/sha256.h"
#include "tests/fixtures.h"

using bnbench::DataError;
using bnbench::IdxArray;
using bnbench::ReadIdx;
using bnbench::testing::ByteVector;
using bnbench::testing::GzipBytes;
using bnbench::testing::IdxBytes;
using bnbench::testing::TemporaryFolder;
using bnbench::testing::ToString;

namespace {

IdxArray Parse(const ByteVector& bytes) { return bnbench::ParseIdx(ToString(bytes), "a.idx"); }

}  // namespace

TEST_CASE("an IDX file of images gives its shape, its values and its hash") {
  ByteVector values(2 * 3 * 4);
  std::iota(values.begin(), values.end(), std::uint8_t{0});
  const ByteVector file = IdxBytes({2, 3, 4}, values);
  const IdxArray array = Parse(file);
  CHECK(array.shape == std::vector<std::size_t>{2, 3, 4});
  CHECK(array.values == values);
  CHECK(array.sha256 == bnbench::Sha256Hex(file));
}

TEST_CASE("raw and gzipped files give the same array, whatever their names") {
  const TemporaryFolder folder;
  const ByteVector file = IdxBytes({3}, {7, 8, 9});
  const IdxArray raw = ReadIdx(folder.Write("raw.gz", ToString(file)));
  const IdxArray zipped = ReadIdx(folder.Write("zipped", GzipBytes(ToString(file))));
  CHECK(raw.values == ByteVector{7, 8, 9});
  CHECK(zipped.values == raw.values);
  CHECK(zipped.sha256 == raw.sha256);
}

TEST_CASE("an IDX file cut anywhere is an error") {
  const ByteVector whole = IdxBytes({2, 2, 2}, ByteVector(8));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_THROWS_AS(Parse(ByteVector(whole.begin(), whole.begin() + std::ptrdiff_t(size))),
                    DataError);
  }
  CHECK_NOTHROW(Parse(whole));
}

TEST_CASE("messages tell truncated from trailing bytes") {
  CHECK_THROWS_WITH_AS(Parse(IdxBytes({3}, {1, 2})),
                       "a.idx: expected an IDX file of 3 values, as announced, got 2 (truncated)",
                       DataError);
  CHECK_THROWS_WITH_AS(Parse(IdxBytes({3}, {1, 2, 3, 4})),
                       "a.idx: expected an IDX file of 3 values, as announced, got 4 (too long)",
                       DataError);
  CHECK_THROWS_WITH_AS(Parse({0, 0, 8, 3, 0, 0}),
                       "a.idx: expected an IDX file with a header of 16 bytes, got 6 bytes",
                       DataError);
}

TEST_CASE("only unsigned bytes in one or three dimensions are accepted") {
  for (const ByteVector& magic :
       {ByteVector{1, 0, 8, 1}, ByteVector{0, 1, 8, 1}, ByteVector{0, 0, 13, 1},
        ByteVector{0, 0, 8, 0}, ByteVector{0, 0, 8, 2}, ByteVector{0, 0, 8, 255}}) {
    ByteVector file = IdxBytes({1}, {5});
    std::copy(magic.begin(), magic.end(), file.begin());
    CHECK_THROWS_WITH_AS(
        Parse(file),
        doctest::Contains("begins with 0x00000801 (labels) or 0x00000803 (images), got 0x"),
        DataError);
  }
}

TEST_CASE("headers that announce absurd sizes are refused without allocating them") {
  const std::uint32_t huge = 0xffffffff;
  CHECK_THROWS_WITH_AS(Parse(IdxBytes({huge}, {1})),
                       doctest::Contains("of 1 to 268435456 values, got"), DataError);
  CHECK_THROWS_WITH_AS(Parse(IdxBytes({huge, huge, huge}, {1})),
                       doctest::Contains("of 1 to 268435456 values, got"), DataError);
  // Each is acceptable by itself, and multiplied in 64 bits they wrap round to the 0 that follow.
  CHECK_THROWS_WITH_AS(Parse(IdxBytes({1U << 22, 1U << 21, 1U << 21}, {})),
                       doctest::Contains("of 1 to 268435456 values, got"), DataError);
  CHECK_THROWS_WITH_AS(Parse(IdxBytes({0, 28, 28}, {})),
                       doctest::Contains("got dimension 0 of size 0"), DataError);
}

TEST_CASE("a missing file, a folder and an empty file are named for what they are") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(ReadIdx(folder.File("none")),
                       doctest::Contains("none: expected an IDX file, got nothing there"),
                       DataError);
  CHECK_THROWS_WITH_AS(ReadIdx(folder.path()), doctest::Contains("got a folder"), DataError);
  CHECK_THROWS_WITH_AS(ReadIdx(folder.Write("empty", "")), doctest::Contains("got an empty file"),
                       DataError);
  CHECK_THROWS_WITH_AS(ReadIdx("/dev/zero"), doctest::Contains("got a device or a pipe"),
                       DataError);
  const std::string bad = folder.Write("bad", "no idx");
  CHECK_THROWS_WITH_AS(ReadIdx(bad), doctest::Contains(bad.c_str()), DataError);
}
