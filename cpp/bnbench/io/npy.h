// Writes NumPy's array files, for other programs to read.
#ifndef BNBENCH_IO_NPY_H_
#define BNBENCH_IO_NPY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "bnbench/io/draft_file.h"

namespace bnbench {

// The header of a .npy file, format version 1.0: the type ("<f4", "|u1") and the shape of an array
// in C order. Its length is a multiple of 64 bytes, so that the values can be mapped.
std::string NpyHeader(std::string_view type, std::span<const std::size_t> shape);

// A .npy file of little-endian values that may be written in any order, by several threads. It is
// at its path only after Commit.
template <typename T>
class NpyFile {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, std::uint8_t>);

 public:
  static constexpr std::string_view kType = std::is_same_v<T, float> ? "<f4" : "|u1";

  // Throws UsageError if there can be no file at `path`.
  NpyFile(const std::string& path, std::span<const std::size_t> shape) : file_(path) {
    const std::string header = NpyHeader(kType, shape);
    header_size_ = header.size();
    file_.WriteAt(0, header);
  }

  // Writes `values` from the one numbered `first` on, in C order.
  void Write(std::size_t first, std::span<const T> values) {
    file_.WriteAt(header_size_ + first * sizeof(T),
                  {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }

  void Commit() { file_.Commit(); }

 private:
  DraftFile file_;
  std::size_t header_size_ = 0;
};

}  // namespace bnbench

#endif  // BNBENCH_IO_NPY_H_
