// A torch.export archive as it lies in the file: its graph and its tensors, nothing computed.
#ifndef BNBENCH_PORTABLE_PROGRAM_H_
#define BNBENCH_PORTABLE_PROGRAM_H_

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bnbench/portable/stored_tensor.h"

namespace bnbench::pt2 {

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

// A model as torch.export saves it. The tensors are parts of the file's bytes.
struct Program {
  std::string torch_version;  // of the exporter
  std::string input;          // name of the only input
  std::vector<std::string> outputs;
  std::vector<std::string> output_keys;  // of a dictionary of outputs; else empty
  std::vector<Node> nodes;
  std::map<std::string, TensorDescription, std::less<>> values;
  StoredTensors tensors;  // by their names in the graph
};

// Reads an archive that torch.export.save of torch 2.9 or later wrote, and runs nothing. Throws
// ModelError, which calls the file `name`, for what is damaged, unknown or pickled.
Program ReadProgram(std::string_view bytes, const std::string& name);

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_PROGRAM_H_
