#include "bnbench/portable/program.h"

#include <utility>

#include "bnbench/errors.h"
#include "bnbench/portable/field.h"
#include "bnbench/portable/printable.h"
#include "bnbench/portable/records.h"

namespace bnbench::pt2 {
namespace {

constexpr std::int64_t kSchemaMajor = 8;  // of torch 2.9 to 2.14
constexpr std::int64_t kSchemaMinor = 20;
constexpr std::int64_t kAtenVersion = 10;
constexpr std::string_view kModel = "models/model.json";

TensorDescription ReadDescription(const Field& field) {
  TensorDescription tensor;
  tensor.type = ReadType(field.Get("dtype"));
  if (field.Get("layout").Integer() != kStrided) field.Fail("an ordinary layout", "another");
  for (const Field& size : field.Get("sizes").Items()) tensor.sizes.push_back(ReadSize(size));
  if (tensor.sizes.size() > kMaxRank) field.Fail("at most 8 dimensions", "more");
  return tensor;
}

TensorName ReadTensorName(const Field& field) { return {field.Get("name").Text()}; }

Size ReadNamedSize(const Field& field) {
  const auto [kind, value] = field.Only();
  if (kind == "as_int") return {"", value.Integer()};
  if (kind == "as_name") return {value.Text(), 0};
  field.Fail("a number or its name", Printable(kind));
}

ArgumentValue ReadArgument(const Field& field) {
  const auto [kind, value] = field.Only();
  if (kind == "as_none") return std::monostate();
  if (kind == "as_tensor") return ReadTensorName(value);
  if (kind == "as_int") return Size{"", value.Integer()};
  if (kind == "as_sym_int") return ReadNamedSize(value);
  if (kind == "as_float") return value.Number();
  if (kind == "as_bool") return value.Bool();
  if (kind == "as_string") return value.Text();
  if (kind == "as_scalar_type") return ReadType(value);
  if (kind == "as_tensors") {
    std::vector<TensorName> names;
    for (const Field& item : value.Items()) names.push_back(ReadTensorName(item));
    return names;
  }
  if (kind == "as_ints" || kind == "as_sym_ints") {
    std::vector<Size> sizes;
    for (const Field& item : value.Items()) {
      sizes.push_back(kind == "as_ints" ? Size{"", item.Integer()} : ReadNamedSize(item));
    }
    return sizes;
  }
  return OtherArgument{kind};
}

Node ReadNode(const Field& field) {
  Node node;
  node.target = field.Get("target").Text();
  for (const Field& input : field.Get("inputs").Items()) {
    node.arguments.push_back({input.Get("name").Text(), ReadArgument(input.Get("arg"))});
  }
  for (const Field& output : field.Get("outputs").Items()) {
    const ArgumentValue value = ReadArgument(output);
    if (const auto* tensor = std::get_if<TensorName>(&value)) {
      node.outputs.push_back(tensor->name);
    } else if (const auto* number = std::get_if<Size>(&value); number && !number->symbol.empty()) {
      node.outputs.push_back(number->symbol);
    } else if (!std::holds_alternative<std::monostate>(value)) {
      output.Fail("an output that is a tensor or a number", "another");
    }
  }
  return node;
}

void CheckVersions(const Field& document) {
  const Field version = document.Get("schema_version");
  const std::int64_t major = version.Get("major").Integer();
  const std::int64_t minor = version.Get("minor").Integer();
  if (major != kSchemaMajor || minor < 0 || minor > kSchemaMinor) {
    version.Fail("8.0 to 8.20", std::to_string(major) + "." + std::to_string(minor));
  }
  for (const auto& [name, number] : document.Get("opset_version").Members()) {
    if (name != "aten" || number.Integer() != kAtenVersion) {
      number.Fail("the operators aten of version 10", "others");
    }
  }
}

void CheckNoneOf(const Field& graph, const char* key) {
  if (graph.Has(key) && !graph.Get(key).Members().empty()) {
    graph.Get(key).Fail("a network of tensors only", "others");
  }
}

// Reads what the graph's inputs are: stored tensors, and one that the user gives.
void ReadInputs(const Field& signature, const StoredTensors& weights,
                const StoredTensors& constants, Program* program) {
  for (const Field& spec : signature.Get("input_specs").Items()) {
    const auto [kind, value] = spec.Only();
    if (kind == "user_input") {
      const auto [argument_kind, argument] = value.Get("arg").Only();
      if (argument_kind != "as_tensor")
        argument.Fail("a tensor as input", Printable(argument_kind));
      if (!program->input.empty()) spec.Fail("one input", "several");
      program->input = ReadTensorName(argument).name;
      continue;
    }
    const bool is_buffer = kind == "buffer";
    if (kind != "parameter" && !is_buffer && kind != "tensor_constant") {
      spec.Fail("an input that is a tensor", Printable(kind));
    }
    const std::string stored = value.Get(kind + "_name").Text();
    const bool is_constant =
        kind == "tensor_constant" || (is_buffer && !value.Get("persistent").Bool());
    const StoredTensors& tensors = is_constant ? constants : weights;
    const auto found = tensors.find(stored);
    if (found == tensors.end()) spec.Fail("a stored tensor " + Printable(stored), "none");
    if (!program->tensors.emplace(ReadTensorName(value.Get("arg")).name, found->second).second) {
      spec.Fail("different names of inputs", "one of them twice");
    }
  }
  if (program->input.empty()) signature.Fail("one input", "none");
  if (program->tensors.contains(program->input))
    signature.Fail("an input that is not stored", "one");
}

void ReadOutputs(const Field& signature, Program* program) {
  for (const Field& spec : signature.Get("output_specs").Items()) {
    const auto [kind, value] = spec.Only();
    if (kind != "user_output") {
      spec.Fail("a network that changes nothing as it runs, as in evaluation mode",
                Printable(kind));
    }
    const auto [argument_kind, argument] = value.Get("arg").Only();
    if (argument_kind != "as_tensor") argument.Fail("a tensor as output", Printable(argument_kind));
    program->outputs.push_back(ReadTensorName(argument).name);
  }
  if (program->outputs.empty()) signature.Fail("at least one output", "none");
}

// The keys of the outputs if the model returns a dictionary of tensors.
std::vector<std::string> ReadKeys(const Field& module, std::size_t num_outputs) {
  if (!module.Has("module_call_graph")) return {};
  for (const Field& entry : module.Get("module_call_graph").Items()) {
    if (!entry.Get("fqn").Text().empty()) continue;  // a part of the model
    const nlohmann::json spec = entry.Get("signature").Get("out_spec").Parsed();
    const std::vector<Field> parts = entry.Within(spec).Items();
    if (parts.size() != 2) return {};
    const Field& tree = parts[1];
    if (!tree.Get("type").Is("builtins.dict")) return {};
    std::vector<std::string> keys;
    const nlohmann::json names = tree.Get("context").Parsed();
    for (const Field& key : entry.Within(names).Items()) keys.push_back(key.Text());
    const std::vector<Field> children = tree.Get("children_spec").Items();
    if (keys.size() != num_outputs || children.size() != num_outputs) return {};
    return keys;
  }
  return {};
}

}  // namespace

Program ReadProgram(std::string_view bytes, const std::string& name) try {
  const Records records(bytes, name);
  const StoredTensors weights =
      ReadStoredTensors(records, "data/weights/", "model_weights_config.json");
  const StoredTensors constants =
      ReadStoredTensors(records, "data/constants/", "model_constants_config.json");

  const nlohmann::json json = Field::Parse(records.Get(kModel), name, std::string(kModel));
  const Field document(json, name, std::string(kModel));
  CheckVersions(document);
  Program program;
  program.torch_version = Printable(document.Get("torch_version").Text());
  const Field module = document.Get("graph_module");
  const Field graph = module.Get("graph");
  CheckNoneOf(graph, "sym_bool_values");
  CheckNoneOf(graph, "sym_float_values");
  CheckNoneOf(graph, "custom_obj_values");
  for (const auto& [value, field] : graph.Get("tensor_values").Members()) {
    program.values.emplace(value, ReadDescription(field));
  }
  ReadInputs(module.Get("signature"), weights, constants, &program);
  ReadOutputs(module.Get("signature"), &program);
  program.output_keys = ReadKeys(module, program.outputs.size());
  for (const Field& node : graph.Get("nodes").Items()) program.nodes.push_back(ReadNode(node));
  return program;
} catch (const UsageError&) {
  // Of the arithmetic of sizes.
  throw ModelError(name, "tensors that fit into memory", "a size beyond 64 bits", "do not use it");
}

}  // namespace bnbench::pt2
