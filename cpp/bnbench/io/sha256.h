#ifndef BNBENCH_IO_SHA256_H_
#define BNBENCH_IO_SHA256_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bnbench {

// SHA-256 as 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::span<const std::uint8_t> bytes);
std::string Sha256Hex(std::string_view text);

// Whether `text` has the form of what Sha256Hex returns.
bool IsSha256Hex(std::string_view text);

}  // namespace bnbench

#endif  // BNBENCH_IO_SHA256_H_
