#include "bnbench/io/dtype.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>

using bnbench::Bfloat16ToFloat;
using bnbench::DType;
using bnbench::FloatToBfloat16;
using bnbench::FloatToHalf;
using bnbench::HalfToFloat;

TEST_CASE("types are found by their names") {
  for (const DType dtype : {DType::kBool, DType::kInt64, DType::kBfloat16, DType::kFloat64}) {
    CHECK(bnbench::FindDType(Name(dtype)) == dtype);
  }
  CHECK(bnbench::FindDType("float32") == DType::kFloat32);
  CHECK_FALSE(bnbench::FindDType("float").has_value());
  CHECK(bnbench::SizeOf(DType::kFloat16) == 2);
  CHECK(Epsilon(DType::kFloat32) == static_cast<double>(std::numeric_limits<float>::epsilon()));
  CHECK(Epsilon(DType::kInt8) == 0);
}

TEST_CASE("every number of 16 bits comes back from binary32") {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float from_half = HalfToFloat(half);
    if (std::isnan(from_half)) {
      CHECK(std::isnan(HalfToFloat(FloatToHalf(from_half))));
    } else {
      CHECK(FloatToHalf(from_half) == half);
    }
    const float from_bfloat = Bfloat16ToFloat(half);
    if (std::isnan(from_bfloat)) {
      CHECK(std::isnan(Bfloat16ToFloat(FloatToBfloat16(from_bfloat))));
    } else {
      CHECK(FloatToBfloat16(from_bfloat) == half);
    }
  }
  CHECK(HalfToFloat(0x3c00) == 1.0F);
  CHECK(HalfToFloat(0x0001) == 0x1p-24F);
  CHECK(HalfToFloat(0x7bff) == 65504.0F);
  CHECK(Bfloat16ToFloat(0x3f80) == 1.0F);
}

TEST_CASE("what lies between is rounded to nearest, ties to even") {
  // Between neighbors a and b, with c half way: a little less goes to a, a little more to b.
  for (std::uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const float below = HalfToFloat(static_cast<std::uint16_t>(bits));
    const float above = HalfToFloat(static_cast<std::uint16_t>(bits + 1));
    const float middle = (below + above) / 2;
    CHECK(FloatToHalf(middle) == bits + (bits & 1));
    CHECK(FloatToHalf(std::nextafter(middle, below)) == bits);
    CHECK(FloatToHalf(-std::nextafter(middle, above)) == (0x8000 | (bits + 1)));
  }
  CHECK(FloatToHalf(65519.0F) == 0x7bff);
  CHECK(FloatToHalf(65520.0F) == 0x7c00);
  CHECK(FloatToBfloat16(1.0F + 0x1p-8F) == 0x3f80);
  CHECK(FloatToBfloat16(1.0F + 0x3p-8F) == 0x3f82);
  CHECK(FloatToBfloat16(std::numeric_limits<float>::max()) == 0x7f80);
}
