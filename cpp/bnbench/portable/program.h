// A torch.export archive as it lies in the file: its graph and its tensors, nothing computed.
#ifndef BNBENCH_PORTABLE_PROGRAM_H_
#define BNBENCH_PORTABLE_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

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

// A tensor in the graph, as torch.export describes it.
struct TensorDescription {
  ValueType type = ValueType::kFloat32;
  std::vector<Size> sizes;
};

// An operator's argument.
struct TensorName {
  std::string name;
};
struct OtherArgument {
  std::string kind;  // such as "as_device"
};
using ArgumentValue =
    std::variant<std::monostate, TensorName, std::vector<TensorName>, Size, std::vector<Size>,
                 double, bool, std::string, ValueType, OtherArgument>;

struct Argument {
  std::string name;
  ArgumentValue value;
};

struct Node {
  std::string target;  // such as "torch.ops.aten.linear.default"
  std::vector<Argument> arguments;
  std::vector<std::string> outputs;  // names of tensors or numbers
};

// A parameter, buffer or constant. `bytes` is the storage that it is a part of.
struct StoredTensorView {
  ValueType type = ValueType::kFloat32;
  std::vector<std::size_t> shape;
  std::vector<std::size_t> strides;  // in values
  std::size_t offset = 0;            // of the first value, in values
  std::string_view bytes;
};

// A model as torch.export saves it. The tensors are parts of the file's bytes.
struct Program {
  std::string torch_version;  // of the exporter
  std::string input;          // name of the only input
  std::vector<std::string> outputs;
  std::vector<std::string> output_keys;  // of a dictionary of outputs; else empty
  std::vector<Node> nodes;
  std::map<std::string, TensorDescription, std::less<>> values;
  std::map<std::string, StoredTensorView, std::less<>> tensors;  // by their names in the graph
};

// Reads an archive that torch.export.save of torch 2.9 or later wrote, and runs nothing. Throws
// ModelError, which calls the file `name`, for what is damaged, unknown or pickled.
Program ReadProgram(std::string_view bytes, const std::string& name);

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_PROGRAM_H_
