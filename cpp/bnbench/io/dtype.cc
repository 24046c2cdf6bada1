#include "bnbench/io/dtype.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace bnbench {
namespace {

struct Entry {
  DType dtype;
  std::string_view name;
  std::size_t size;
  double epsilon;
};

// In the order of DType.
constexpr std::array<Entry, 10> kEntries = {{
    {DType::kBool, "bool", 1, 0},
    {DType::kUint8, "uint8", 1, 0},
    {DType::kInt8, "int8", 1, 0},
    {DType::kInt16, "int16", 2, 0},
    {DType::kInt32, "int32", 4, 0},
    {DType::kInt64, "int64", 8, 0},
    {DType::kFloat16, "float16", 2, 0x1p-10},
    {DType::kBfloat16, "bfloat16", 2, 0x1p-7},
    {DType::kFloat32, "float32", 4, 0x1p-23},
    {DType::kFloat64, "float64", 8, 0x1p-52},
}};

const Entry& Find(DType dtype) { return kEntries[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::string_view Name(DType dtype) { return Find(dtype).name; }
std::size_t SizeOf(DType dtype) { return Find(dtype).size; }
bool IsFloat(DType dtype) { return Find(dtype).epsilon > 0; }
double Epsilon(DType dtype) { return Find(dtype).epsilon; }

std::optional<DType> FindDType(std::string_view name) {
  const auto* found = std::ranges::find(kEntries, name, &Entry::name);
  if (found == kEntries.end()) return std::nullopt;
  return found->dtype;
}

float HalfToFloat(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fU;
  const std::uint32_t fraction = half & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | fraction << 13);
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

std::uint16_t FloatToHalf(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const float magnitude = std::fabs(value);
  std::uint32_t half = 0;
  if (std::isnan(value)) {
    half = 0x7e00;
  } else if (magnitude >= 65520.0F) {  // half way from the largest to the next
    half = 0x7c00;
  } else if (magnitude < 0x1p-14F) {  // subnormal: multiples of 2^-24, rounded by nearbyint
    half = static_cast<std::uint32_t>(std::nearbyint(magnitude * 0x1p24F));
  } else {
    const std::uint32_t rounded = (bits & 0x7fffffffU) + 0xfffU + ((bits >> 13) & 1U);
    half = (rounded >> 13) - (112U << 10);
  }
  return static_cast<std::uint16_t>(sign | half);
}

std::uint16_t FloatToBfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace bnbench
