// Arithmetic of sizes that does not wrap round.
#ifndef BNBENCH_CHECKED_H_
#define BNBENCH_CHECKED_H_

#include <cstddef>

#include "bnbench/errors.h"

namespace bnbench {

[[noreturn]] inline void FailSize() {
  throw UsageError("size", "a size that a computer can count to", "one beyond 64 bits",
                   "ask for less");
}

// Both throw UsageError.
inline std::size_t Add(std::size_t a, std::size_t b) {
  std::size_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) FailSize();
  return sum;
}

inline std::size_t Multiply(std::size_t a, std::size_t b) {
  std::size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) FailSize();
  return product;
}

}  // namespace bnbench

#endif  // BNBENCH_CHECKED_H_
