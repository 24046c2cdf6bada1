// SHA-256, by OpenSSL.
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

// Whether `text` could be a result of Sha256Hex.
bool IsSha256Hex(std::string_view text);

}  // namespace bnbench

#endif  // BNBENCH_IO_SHA256_H_
