#include "bnbench/io/safetensors.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::Array;
using bnbench::DataError;
using bnbench::DType;
using bnbench::testing::Replace;
using bnbench::testing::SafetensorsBytes;

namespace {

std::map<std::string, Array> Parse(const std::string& file) {
  return bnbench::ParseSafetensors(file, nullptr, "a.safetensors");
}

const std::string kHeader =
    R"({"x":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
    R"("y":{"dtype":"I64","shape":[1],"data_offsets":[12,20]},"__metadata__":{"format":"pt"}})";
const std::string kValues = "abcdefghijklABCDEFGH";

}  // namespace

TEST_CASE("tensors are found by their names, without being copied") {
  const std::string file = SafetensorsBytes(kHeader, kValues);
  const std::map<std::string, Array> arrays = Parse(file);
  REQUIRE(arrays.size() == 2);
  CHECK(arrays.at("x").dtype == DType::kBfloat16);
  CHECK(arrays.at("x").shape == bnbench::Shape{2, 3});
  CHECK(arrays.at("x").bytes.size() == 12);
  CHECK(arrays.at("y").bytes.size() == 8);
  CHECK(static_cast<char>(arrays.at("y").bytes[0]) == 'A');
}

TEST_CASE("what is no safetensors file is refused with what it is") {
  struct Case {
    const char* old_part;
    const char* new_part;
    const char* message;
  };
  const Case cases[] = {
      {"BF16", "F8", "a type such as U8, I64 or F32, got 'F8'"},
      {"[2,3]", "[2,4]", "expected as many values as the shape (2, 4) says, got 12 bytes"},
      {"[2,3]", "[2,-3]", "whole numbers in `shape`"},
      {"[2,3]", "[0,3]", "got shape (0, 3)"},
      {"[2,3]", "[4294967296,4294967296]", "got shape (4294967296, 4294967296)"},
      {"[2,3]", "6", "a list `shape` for each tensor"},
      {"[0,12]", "[0,12,20]", "a list `data_offsets`"},
      {"[0,12]", "[12,0]", "values of each tensor within the file"},
      {"[12,20]", "[12,21]", "values of each tensor within the file"},
      {"[12,20]", "[8,16]", "values without gaps or overlaps"},
      {"\"dtype\":\"I64\",", "", "a `dtype` for each tensor"},
      {"\"y\":{", "\"y\":3,\"z\":{", "an object for each tensor"},
      {"}}", "}", "a safetensors header in JSON"},
  };
  for (const Case& wrong : cases) {
    CAPTURE(wrong.new_part);
    CHECK_THROWS_WITH_AS(
        Parse(SafetensorsBytes(Replace(kHeader, wrong.old_part, wrong.new_part), kValues)),
        doctest::Contains(wrong.message), DataError);
  }
  CHECK_THROWS_AS(Parse(SafetensorsBytes(kHeader, kValues + "x")), DataError);
  const std::string file = SafetensorsBytes(kHeader, kValues);
  for (std::size_t size = 0; size < file.size(); ++size) {
    CHECK_THROWS_AS(Parse(file.substr(0, size)), DataError);
  }
}
