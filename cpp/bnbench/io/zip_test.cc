#include "bnbench/io/zip.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::DataError;
using bnbench::ListZip;
using bnbench::ZipEntry;
using bnbench::testing::ZipBytes;

namespace {

std::vector<ZipEntry> List(const std::string& archive) { return ListZip(archive, "a.npz"); }

std::string Inflate(const ZipEntry& entry, std::size_t max_bytes = 1000) {
  const std::vector<std::byte> bytes = InflateEntry(entry, max_bytes, "a.npz");
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const std::string kText = "what is packed comes back, comes back, comes back";

}  // namespace

TEST_CASE("stored and deflated entries are listed in their order") {
  const std::string archive = ZipBytes({{"a.npy", kText, false}, {"b.npy", kText, true}});
  const std::vector<ZipEntry> entries = List(archive);
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].name == "a.npy");
  CHECK(entries[0].content == kText);
  CHECK_FALSE(entries[0].is_deflated);
  CHECK_NOTHROW(CheckCrc(entries[0], entries[0].content, "a.npz"));
  CHECK(entries[1].is_deflated);
  CHECK(entries[1].size == kText.size());
  CHECK(Inflate(entries[1]) == kText);
  CHECK_NOTHROW(CheckCrc(entries[1], kText, "a.npz"));
  CHECK(List(ZipBytes({})).empty());
}

TEST_CASE("an archive that is cut, or has something after its end, is refused") {
  const std::string archive = ZipBytes({{"a.npy", kText, false}});
  for (std::size_t size = 0; size < archive.size(); ++size) {
    CHECK_THROWS_AS(List(archive.substr(0, size)), DataError);
  }
  CHECK_THROWS_WITH_AS(List(archive + "x"), doctest::Contains("nothing after its end"), DataError);
}

TEST_CASE("a flipped bit is refused, or changes no content that passes its checksum") {
  for (const bool deflates : {false, true}) {
    const std::string archive = ZipBytes({{"a.npy", kText, deflates}});
    for (std::size_t i = 0; i < archive.size(); ++i) {
      for (const int bit : {0, 7}) {
        std::string altered = archive;
        altered[i] = static_cast<char>(altered[i] ^ (1 << bit));
        try {
          for (const ZipEntry& entry : List(altered)) {
            const std::string content =
                entry.is_deflated ? Inflate(entry) : std::string(entry.content);
            CheckCrc(entry, content, "a.npz");
            CHECK(content == kText);
          }
        } catch (const DataError&) {
        }
      }
    }
  }
}

TEST_CASE("two entries of one name are refused") {
  CHECK_THROWS_WITH_AS(List(ZipBytes({{"a", "1", false}, {"a", "2", false}})),
                       doctest::Contains("entries of different names, got two of one name"),
                       DataError);
}

TEST_CASE("two entries over the same bytes are refused") {
  // The second entry of the directory says where the first lies, under the first's name.
  std::string archive = ZipBytes({{"a", "1", false}, {"b", "2", false}});
  const std::size_t second = archive.rfind("PK\x01\x02");
  archive.replace(second + 42, 4, std::string(4, '\0'));
  archive[second + 46] = 'a';
  CHECK_THROWS_AS(List(archive), DataError);
}

TEST_CASE("what would grow beyond the limit is refused before it is made") {
  const std::string archive = ZipBytes({{"a", std::string(100'000, 'x'), true}});
  const std::vector<ZipEntry> entries = List(archive);
  CHECK_THROWS_WITH_AS(Inflate(entries[0], 99'999),
                       doctest::Contains("an entry of at most 99999 bytes, got 100000"), DataError);
  ZipEntry huge = entries[0];
  huge.size = std::size_t{1} << 60;
  CHECK_THROWS_AS(Inflate(huge, huge.size), DataError);
  for (const std::size_t size : {99'999UL, 100'001UL}) {
    ZipEntry other = entries[0];
    other.size = size;
    CHECK_THROWS_AS(Inflate(other, 200'000), DataError);
  }
}
