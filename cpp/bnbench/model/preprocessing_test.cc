#include "bnbench/model/preprocessing.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "bnbench/errors.h"

using bnbench::DType;
using bnbench::ModelError;
using bnbench::ParseSteps;
using bnbench::Preprocessor;
using bnbench::Shape;
using bnbench::UsageError;

namespace {

// What the steps make of values of one input, or of several.
template <class To, class From>
std::vector<To> Run(DType from, const Shape& shape, const char* steps,
                    const std::vector<From>& values, std::size_t count = 1) {
  const Preprocessor preprocessor({shape, from, ParseSteps(steps)}, "m.pt");
  REQUIRE(bnbench::SizeOf(preprocessor.dtype()) == sizeof(To));
  std::vector<To> output(count * preprocessor.bytes_per_input() / sizeof(To));
  preprocessor.Run(std::as_bytes(std::span(values)).data(), count,
                   std::as_writable_bytes(std::span(output)).data());
  return output;
}

}  // namespace

TEST_CASE("every byte is divided by 255 in binary32, as torchvision does") {
  std::vector<std::uint8_t> bytes(256);
  for (std::size_t i = 0; i < 256; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  const auto found = Run<float>(DType::kUint8, {2, 8}, "divide=255,reshape=1x2x8", bytes, 16);
  for (std::size_t i = 0; i < 256; ++i) CHECK(found[i] == static_cast<float>(i) / 255.0F);
}

TEST_CASE("steps are computed one after the other, each rounded to binary32") {
  const std::vector<std::uint8_t> bytes = {0, 1, 128, 255};
  const auto found = Run<float>(DType::kUint8, {4}, "divide=255,normalize=0.1307/0.3081", bytes);
  for (std::size_t i = 0; i < 4; ++i) {
    const float divided = static_cast<float>(bytes[i]) / 255.0F;
    CHECK(found[i] == (divided - 0.1307F) / 0.3081F);
  }
  CHECK(Run<float>(DType::kUint8, {1}, "scale=0.1", std::vector<std::uint8_t>{3})[0] ==
        3.0F * 0.1F);
}

TEST_CASE("means and deviations belong to channels") {
  const auto found =
      Run<float>(DType::kFloat32, {2, 2}, "normalize=1:10/1:2", std::vector<float>{1, 2, 10, 20});
  CHECK(found == std::vector<float>{0, 1, 0, 5});
}

TEST_CASE("inputs without a step that changes them pass as they are") {
  const std::vector<std::int64_t> tokens = {1, -(std::int64_t{1} << 62), 3};
  CHECK(Run<std::int64_t>(DType::kInt64, {3}, "reshape=3x1", tokens) == tokens);
}

TEST_CASE("a bool is 0 or 1, whatever byte the file holds") {
  CHECK(Run<std::uint8_t>(DType::kBool, {3}, "", std::vector<std::uint8_t>{0, 1, 7}) ==
        std::vector<std::uint8_t>{0, 1, 1});
}

TEST_CASE("binary64 stays binary64, and whole numbers become binary32") {
  const std::vector<double> wide = {0.1, 1.0 / 3};
  CHECK(Run<double>(DType::kFloat64, {2}, "divide=3", wide)[1] == wide[1] / 3);
  const std::vector<std::int64_t> large = {(std::int64_t{1} << 24) + 1};
  CHECK(Run<float>(DType::kInt64, {1}, "scale=1", large)[0] == 16'777'216.0F);
  CHECK(Run<double>(DType::kInt64, {1}, "cast=float64", large)[0] == 16'777'217.0);
}

TEST_CASE("the last type may be any that a model wants") {
  const std::vector<std::uint8_t> bytes = {255, 2};
  CHECK(Run<std::int64_t>(DType::kUint8, {2}, "cast=int64", bytes)[0] == 255);
  CHECK(Run<std::uint16_t>(DType::kUint8, {2}, "divide=255,cast=float16", bytes)[0] == 0x3c00);
  CHECK(Run<std::uint16_t>(DType::kUint8, {2}, "divide=255,cast=bfloat16", bytes)[0] == 0x3f80);
  CHECK(Run<double>(DType::kUint8, {2}, "divide=255,cast=float64", bytes)[1] ==
        static_cast<double>(2.0F / 255.0F));
  // Arithmetic after a cast goes on from the rounded value.
  CHECK(Run<float>(DType::kFloat32, {1}, "cast=bfloat16,scale=1", std::vector<float>{1.001F})[0] ==
        1.0F);
  CHECK(Run<float>(DType::kFloat16, {1}, "scale=2", std::vector<std::uint16_t>{0x3c00})[0] == 2.0F);
}

TEST_CASE("steps that do not fit the inputs are refused by what they need") {
  struct Case {
    DType dtype;
    const char* steps;
    const char* message;
  };
  const Case cases[] = {
      {DType::kUint8, "reshape=7", "m.pt: expected a shape of 12 values per input, got reshape=7"},
      {DType::kUint8, "normalize=1:2/1:2", "the first dimension of (3, 4), got normalize=1:2/1:2"},
      {DType::kFloat32, "cast=int64", "expected a cast to a floating-point type"},
      {DType::kInt64, "cast=int32", "got cast=int32 of int64"},
      {DType::kUint8, "cast=int8", "got cast=int8 of uint8"},
  };
  for (const Case& wrong : cases) {
    CAPTURE(wrong.steps);
    CHECK_THROWS_WITH_AS(Preprocessor({{3, 4}, wrong.dtype, ParseSteps(wrong.steps)}, "m.pt"),
                         doctest::Contains(wrong.message), ModelError);
  }
}

TEST_CASE("steps are typed, and come back to the last bit") {
  for (const char* text :
       {"", "divide=255", "scale=0.1", "normalize=0.5/0.25", "normalize=0.1:0.2/1:2e-07",
        "reshape=1x28x28", "cast=bfloat16", "divide=255,reshape=784"}) {
    CHECK(FormatSteps(ParseSteps(text)) == text);
  }
  CHECK(FormatSteps(ParseSteps(" divide=2, scale=3 ,")) == "divide=2,scale=3");
}

TEST_CASE("what is no step is answered with the syntax") {
  for (const char* text : {"divide", "divide=", "divide=x", "divide=1 2", "crop=3", "normalize=1",
                           "normalize=1/2/3", "reshape=1x", "reshape=-1", "cast=float"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(ParseSteps(text), doctest::Contains("--preprocess: expected divide=255"),
                         UsageError);
  }
  for (const char* text : {"divide=0", "divide=inf", "scale=nan", "scale=1e40", "divide=1e-60",
                           "normalize=1/0", "normalize=1:2/1", "reshape=0"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(ParseSteps(text), UsageError);
  }
}
