// The types of numbers that data files hold and models take.
#ifndef BNBENCH_IO_DTYPE_H_
#define BNBENCH_IO_DTYPE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bnbench {

enum class DType {
  kBool,
  kUint8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBfloat16,
  kFloat32,
  kFloat64,
};

// The name that torch and NumPy share, such as "uint8".
std::string_view Name(DType dtype);
// The type of that name; nothing if there is none.
std::optional<DType> FindDType(std::string_view name);
std::size_t SizeOf(DType dtype);
bool IsFloat(DType dtype);
// The distance from 1 to the next number of a floating-point type; 0 of the others.
double Epsilon(DType dtype);

// Both formats of 16 bits widen exactly, and round to nearest, ties to even.
float HalfToFloat(std::uint16_t half);
std::uint16_t FloatToHalf(float value);

inline float Bfloat16ToFloat(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}
std::uint16_t FloatToBfloat16(float value);

}  // namespace bnbench

#endif  // BNBENCH_IO_DTYPE_H_
