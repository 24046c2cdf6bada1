#include "bnbench/io/gzip.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::DataError;
using bnbench::testing::GzipBytes;
using bnbench::testing::ToString;

namespace {

std::vector<std::uint8_t> Unpack(std::string_view bytes, std::size_t max_bytes) {
  return bnbench::Gunzip(bytes, max_bytes, "a.gz");
}

}  // namespace

TEST_CASE("the first two bytes decide whether a file is gzip") {
  CHECK(bnbench::IsGzip(GzipBytes("text")));
  CHECK_FALSE(bnbench::IsGzip(""));
  CHECK_FALSE(bnbench::IsGzip("\x1f"));
  CHECK_FALSE(bnbench::IsGzip("text"));
}

TEST_CASE("what was compressed comes back, whether small, large or empty") {
  for (const std::size_t size : {0UL, 1UL, 5000UL, 1000000UL}) {
    const std::string text(size, 'x');
    CHECK(ToString(Unpack(GzipBytes(text), 1'000'000)) == text);
  }
}

TEST_CASE("members of one gzip file are joined") {
  CHECK(ToString(Unpack(GzipBytes("one ") + GzipBytes("two"), 100)) == "one two");
}

TEST_CASE("a gzip bomb is stopped at the limit, one byte below it is not") {
  const std::string bomb = GzipBytes(std::string(10'000'000, '\0'));
  CHECK(bomb.size() < 20'000);
  CHECK_THROWS_WITH_AS(Unpack(bomb, 9'999'999),
                       "a.gz: expected at most 9999999 bytes once decompressed, got more",
                       DataError);
  CHECK(Unpack(bomb, 10'000'000).size() == 10'000'000);
}

TEST_CASE("a gzip file cut anywhere is an error") {
  const std::string whole = GzipBytes("a text that does not compress well: 8f2k1z");
  for (std::size_t size = 2; size < whole.size(); ++size) {
    CHECK_THROWS_AS(Unpack(whole.substr(0, size), 1000), DataError);
  }
}

TEST_CASE("bytes after the gzip data are an error") {
  CHECK_THROWS_WITH_AS(Unpack(GzipBytes("text") + "more", 1000),
                       "a.gz: expected nothing after the gzip data, got more bytes", DataError);
}

TEST_CASE("a wrong checksum in the gzip data is an error") {
  std::string damaged = GzipBytes("text");
  damaged[damaged.size() - 8] ^= 1;
  CHECK_THROWS_WITH_AS(Unpack(damaged, 1000),
                       doctest::Contains("a.gz: expected gzip data, got damaged data ("),
                       DataError);
}
