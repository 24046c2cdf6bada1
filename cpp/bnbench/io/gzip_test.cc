#include "bnbench/io/gzip.h"

#include <doctest/doctest.h>

#include <string>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::DataError;
using bnbench::Gunzip;
using bnbench::testing::GzipBytes;
using bnbench::testing::ToString;

TEST_CASE("a gzip file is told by its first two bytes") {
  CHECK(bnbench::IsGzip(GzipBytes("text")));
  CHECK_FALSE(bnbench::IsGzip(""));
  CHECK_FALSE(bnbench::IsGzip("\x1f"));
  CHECK_FALSE(bnbench::IsGzip("text"));
}

TEST_CASE("what was compressed comes back, whether small, large or empty") {
  for (const std::size_t size : {0UL, 1UL, 5000UL, 1000000UL}) {
    const std::string text(size, 'x');
    CHECK(ToString(Gunzip(GzipBytes(text), 1'000'000)) == text);
  }
}

TEST_CASE("members of one gzip file are joined") {
  CHECK(ToString(Gunzip(GzipBytes("one ") + GzipBytes("two"), 100)) == "one two");
}

TEST_CASE("a gzip bomb is stopped at the limit, one byte below it is not") {
  const std::string bomb = GzipBytes(std::string(10'000'000, '\0'));
  CHECK(bomb.size() < 20'000);
  CHECK_THROWS_WITH_AS(Gunzip(bomb, 9'999'999), doctest::Contains("decompresses to more than"),
                       DataError);
  CHECK(Gunzip(bomb, 10'000'000).size() == 10'000'000);
}

TEST_CASE("a gzip file cut anywhere is an error") {
  const std::string whole = GzipBytes("a text that does not compress well: 8f2k1z");
  for (std::size_t size = 2; size < whole.size(); ++size) {
    CHECK_THROWS_AS(Gunzip(whole.substr(0, size), 1000), DataError);
  }
}

TEST_CASE("bytes after the gzip data are an error") {
  CHECK_THROWS_WITH_AS(Gunzip(GzipBytes("text") + "more", 1000),
                       doctest::Contains("after the end of its gzip data"), DataError);
}

TEST_CASE("a wrong checksum in the gzip data is an error") {
  std::string damaged = GzipBytes("text");
  damaged[damaged.size() - 8] ^= 1;
  CHECK_THROWS_WITH_AS(Gunzip(damaged, 1000), doctest::Contains("damaged gzip data"), DataError);
}
