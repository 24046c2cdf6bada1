// Writes and reads NumPy's array files.
#ifndef BNBENCH_IO_NPY_H_
#define BNBENCH_IO_NPY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "bnbench/io/array.h"
#include "bnbench/io/draft_file.h"

namespace bnbench {

// The header of a .npy file, format version 1.0: the type ("<f4", "|u1") and the shape of an array
// in C order. Its length is a multiple of 64 bytes, so that the values can be mapped.
std::string NpyHeader(std::string_view type, std::span<const std::size_t> shape);

// The values of a .npy file, little-endian; they may be written in any order, by several threads.
// The file, whose Commit is the caller's, must stay.
template <typename T>
class NpyFile {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, std::uint8_t> ||
                std::is_same_v<T, std::int32_t>);

 public:
  static constexpr std::string_view kType = std::is_same_v<T, float>          ? "<f4"
                                            : std::is_same_v<T, std::uint8_t> ? "|u1"
                                                                              : "<i4";

  NpyFile(DraftFile* file, std::span<const std::size_t> shape) : file_(file) {
    const std::string header = NpyHeader(kType, shape);
    header_size_ = header.size();
    file_->WriteAt(0, header);
  }

  // Writes `values` from the one numbered `first` on, in C order.
  void Write(std::size_t first, std::span<const T> values) {
    file_->WriteAt(header_size_ + first * sizeof(T),
                   {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }

 private:
  DraftFile* file_;
  std::size_t header_size_ = 0;
};

// The array in the bytes of a .npy file, which `storage` keeps: values stay where they are.
// Strict: format 1.0 to 3.0, C order, little-endian numbers or bytes, as many as the header says,
// no objects. Throws DataError, which calls the file `name`.
Array ParseNpy(std::string_view file, std::shared_ptr<const void> storage, const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_IO_NPY_H_
