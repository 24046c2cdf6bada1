// The parameters, buffers and constants of an archive: raw values, and what is said of them.
#ifndef BNBENCH_PORTABLE_STORED_TENSOR_H_
#define BNBENCH_PORTABLE_STORED_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/portable/field.h"
#include "bnbench/portable/records.h"
#include "bnbench/portable/tensor.h"

namespace bnbench::pt2 {

// The types of torch that a network may use, with the numbers of torch.export's schema.
enum class ValueType : int {
  kUint8 = 1,
  kInt64 = 5,
  kFloat32 = 7,
  kFloat64 = 8,
  kBool = 12,
  kBfloat16 = 13
};

// "float32"; "type 9" for a type that is none of the above.
std::string NameOf(ValueType type);

// A whole number, or the name of one that is known when the network runs.
struct Size {
  std::string symbol;  // empty: `value` holds
  std::int64_t value = 0;
  bool operator==(const Size&) const = default;
};

// A parameter, buffer or constant. `bytes` is the storage that it is a part of.
struct StoredTensorView {
  ValueType type = ValueType::kFloat32;
  std::vector<std::size_t> shape;
  std::vector<std::size_t> strides;  // in values
  std::size_t offset = 0;            // of the first value, in values
  std::string_view bytes;
};

// By their names in torch.
using StoredTensors = std::map<std::string, StoredTensorView, std::less<>>;

// Reads what the configuration in a folder of the archive lists. Throws ModelError for pickles, and
// unless every tensor lies in its record.
StoredTensors ReadStoredTensors(const Records& records, const std::string& folder,
                                const std::string& config);

// The values of a tensor in C order, as binary32; not those of binary64.
Buffer LoadValues(const StoredTensorView& tensor);

// Parts of a tensor's description that weights and graph share.
ValueType ReadType(const Field& field);
Size ReadSize(const Field& field);
inline constexpr std::size_t kMaxRank = 8;
inline constexpr std::int64_t kStrided = 7;  // the layout of an ordinary tensor

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_STORED_TENSOR_H_
