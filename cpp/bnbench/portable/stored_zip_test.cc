#include "bnbench/portable/stored_zip.h"

#include <doctest/doctest.h>

#include <string>

#include "bnbench/errors.h"
#include "tests/archives.h"

using bnbench::ModelError;
using bnbench::pt2::ReadStoredZip;
using bnbench::pt2::ZipRecords;
using bnbench::testing::Patch;
using bnbench::testing::Records;
using bnbench::testing::WriteStoredZip;

namespace {

const Records kTwo = {{"m/a", "some bytes"}, {"m/b", "others"}};
constexpr std::size_t kLocalSize = 30 + 3 + 8;  // header, name and padding
constexpr std::size_t kSecond = kLocalSize + 10 + 16;
constexpr std::size_t kDirectory = kSecond + kLocalSize + 6 + 16;
constexpr std::size_t kSecondEntry = kDirectory + 46 + 3;

void CheckRefused(const std::string& bytes, const char* got) {
  CHECK_THROWS_WITH_AS(ReadStoredZip(bytes, "m.pt2"), doctest::Contains(got), ModelError);
}

}  // namespace

TEST_CASE("the records of an archive are read where they lie") {
  const std::string bytes = WriteStoredZip(kTwo);
  const ZipRecords records = ReadStoredZip(bytes, "m.pt2");
  REQUIRE(records.size() == 2);
  CHECK(records.at("m/a") == "some bytes");
  CHECK(records.at("m/b") == "others");
  CHECK(records.at("m/a").data() == bytes.data() + kLocalSize);
  CHECK(ReadStoredZip(WriteStoredZip({}), "m.pt2").empty());
}

TEST_CASE("a truncated archive is refused, wherever it ends") {
  const std::string bytes = WriteStoredZip(kTwo);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_THROWS_AS(ReadStoredZip(bytes.substr(0, size), "m.pt2"), ModelError);
  }
  CheckRefused(bytes + "x", "another kind of file");
}

TEST_CASE("no flipped bit changes a record or its name") {
  const std::string bytes = WriteStoredZip(kTwo);
  const ZipRecords expected = ReadStoredZip(bytes, "m.pt2");
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      const ZipRecords found = ReadStoredZip(flipped, "m.pt2");
      CHECK(found == expected);
    } catch (const ModelError&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);  // the others are in versions, times and padding
}

TEST_CASE("compressed and encrypted records are refused") {
  const std::string bytes = WriteStoredZip(kTwo);
  CheckRefused(Patch<std::uint16_t>(bytes, kDirectory + 10, 8), "the record m/a compressed");
  CheckRefused(Patch<std::uint32_t>(bytes, kDirectory + 20, 5), "the record m/a compressed");
  CheckRefused(Patch<std::uint16_t>(bytes, kDirectory + 8, 1), "the record m/a encrypted");
}

TEST_CASE("records that overlap are refused") {
  const std::string bytes = WriteStoredZip(kTwo);
  CheckRefused(Patch<std::uint32_t>(bytes, kSecondEntry + 42, 0), "overlap or leave gaps");
  CheckRefused(Patch<std::uint32_t>(bytes, kDirectory + 42, kSecond), "overlap or leave gaps");
  CheckRefused(WriteStoredZip({{"m/a", "x"}, {"m/a", "x"}}), "the record m/a twice");
}

TEST_CASE("a record with another size than its entry is refused before it is read") {
  const std::string bytes = WriteStoredZip(kTwo);
  for (const std::uint32_t size : {std::uint32_t{9}, std::uint32_t{11}, 0xfffffffeU}) {
    std::string patched = Patch(bytes, kDirectory + 24, size);
    CHECK_THROWS_AS(ReadStoredZip(Patch(patched, kDirectory + 20, size), "m.pt2"), ModelError);
  }
  std::string huge = Patch<std::uint32_t>(bytes, kDirectory + 24, 0xffffffff);
  CheckRefused(Patch<std::uint32_t>(huge, kDirectory + 20, 0xffffffff), "beyond 4 GiB");
}

TEST_CASE("a record with another checksum is refused") {
  std::string bytes = WriteStoredZip(kTwo);
  bytes[kLocalSize] = 'S';
  CheckRefused(bytes, "the record m/a with another checksum than its own");
}

TEST_CASE("two directories that differ are refused") {
  const std::string bytes = WriteStoredZip(kTwo);
  CheckRefused(Patch<std::uint64_t>(bytes, bytes.size() - 22 - 20 - 8, 0), "two directories");
  CheckRefused(Patch<std::uint32_t>(bytes, bytes.size() - 6, 0), "two directories");
}
