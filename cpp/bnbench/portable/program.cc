#include "bnbench/portable/program.h"

#include <optional>
#include <utility>

#include "bnbench/checked.h"
#include "bnbench/errors.h"
#include "bnbench/portable/field.h"
#include "bnbench/portable/printable.h"
#include "bnbench/portable/stored_zip.h"

namespace bnbench::pt2 {
namespace {

constexpr std::int64_t kSchemaMajor = 8;  // of torch 2.9 to 2.14
constexpr std::int64_t kSchemaMinor = 20;
constexpr std::int64_t kAtenVersion = 10;
constexpr std::int64_t kStrided = 7;  // the layout of an ordinary tensor
constexpr std::size_t kMaxRank = 8;
constexpr std::string_view kModel = "models/model.json";
constexpr std::string_view kWeights = "data/weights/";
constexpr std::string_view kConstants = "data/constants/";
constexpr char kExport[] = "export it with torch.export.save of torch 2.9 or later";

// The records of an archive without the folder that they all lie in.
class Records {
 public:
  Records(std::string_view bytes, std::string name)
      : name_(std::move(name)), records_(ReadStoredZip(bytes, name_)) {
    if (records_.empty()) Fail("no record");
    const std::string& first = records_.begin()->first;
    folder_ = first.substr(0, first.find('/') + 1);
    for (const auto& [record, content] : records_) {
      if (folder_.empty() || !record.starts_with(folder_)) Fail("an archive of something else");
    }
  }

  const std::string& name() const { return name_; }

  [[noreturn]] void Fail(const std::string& got) const {
    throw ModelError(name_, "a torch.export archive (.pt2)", got, kExport);
  }

  std::optional<std::string_view> Find(std::string_view record) const {
    const auto found = records_.find(folder_ + std::string(record));
    if (found == records_.end()) return std::nullopt;
    return found->second;
  }

  std::string_view Get(std::string_view record) const {
    const auto found = Find(record);
    if (!found) Fail("no record " + Printable(record));
    return *found;
  }

  void Require(std::string_view record, std::string_view content) const {
    const std::string_view found = Get(record);
    if (found != content) {
      throw ModelError(name_ + ": " + std::string(record), std::string(content), Printable(found),
                       kExport);
    }
  }

 private:
  std::string name_;
  ZipRecords records_;
  std::string folder_;
};

// Refuses what is no archive of one exported program by saying what it is.
void CheckKind(const Records& records) {
  if (records.Find("constants.pkl")) records.Fail("a TorchScript file");
  if (records.Find("data.pkl")) records.Fail("an object that torch.save wrote");
  if (records.Find("serialized_exported_program.json")) records.Fail("one of an older torch");
  records.Require("archive_format", "pt2");
  records.Require("archive_version", "0");
  records.Require("byteorder", "little");
  if (!records.Find(kModel)) records.Fail("one without models/model.json, such as AOTInductor's");
}

ValueType ReadType(const Field& field) {
  const auto type = static_cast<ValueType>(field.Integer());
  if (NameOf(type).starts_with("type ")) field.Fail("a type that this program knows", NameOf(type));
  return type;
}

// A size in a tensor's description: a number or a symbol.
Size ReadSize(const Field& field) {
  const auto [kind, value] = field.Only();
  if (kind == "as_int") {
    const std::int64_t size = value.Integer();
    if (size < 0) field.Fail("a size of at least 0", std::to_string(size));
    return {"", size};
  }
  if (kind == "as_expr") return {value.Get("expr_str").Text(), 0};
  field.Fail("a size", Printable(kind));
}

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

// The tensors that one of the configurations in the archive lists, by their names in torch.
using StoredTensors = std::map<std::string, StoredTensorView, std::less<>>;

std::size_t ReadStoredSize(const Field& field) {
  const Size size = ReadSize(field);
  if (!size.symbol.empty()) field.Fail("a number", "an expression");
  return static_cast<std::size_t>(size.value);
}

// Checks that all values lie in the record.
void CheckBounds(const StoredTensorView& tensor, std::size_t value_bytes, const Field& field) {
  std::size_t end = 1;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (tensor.shape[i] == 0) return;
    end = Add(end, Multiply(tensor.shape[i] - 1, tensor.strides[i]));
  }
  end = Multiply(Add(end, tensor.offset), value_bytes);
  if (end > tensor.bytes.size()) {
    field.Fail("a record of at least " + std::to_string(end) + " bytes, as its tensor has",
               std::to_string(tensor.bytes.size()));
  }
}

std::size_t SizeOf(ValueType type) {
  switch (type) {
    case ValueType::kUint8:
    case ValueType::kBool:
      return 1;
    case ValueType::kBfloat16:
      return 2;
    case ValueType::kFloat32:
      return 4;
    case ValueType::kInt64:
    case ValueType::kFloat64:
      return 8;
  }
  return 8;
}

StoredTensors ReadStored(const Records& records, std::string_view folder, std::string_view config) {
  StoredTensors tensors;
  const std::string document = std::string(folder) + std::string(config);
  const nlohmann::json json = Field::Parse(records.Get(document), records.name(), document);
  for (const auto& [name, field] : Field(json, records.name(), document).Get("config").Members()) {
    if (field.Get("use_pickle").Bool()) field.Fail("plain values", "a pickle");
    const Field description = field.Get("tensor_meta");
    StoredTensorView tensor;
    tensor.type = ReadType(description.Get("dtype"));
    if (description.Get("layout").Integer() != kStrided)
      field.Fail("an ordinary layout", "another");
    for (const Field& size : description.Get("sizes").Items()) {
      tensor.shape.push_back(ReadStoredSize(size));
    }
    for (const Field& stride : description.Get("strides").Items()) {
      tensor.strides.push_back(ReadStoredSize(stride));
    }
    if (tensor.shape.size() != tensor.strides.size() || tensor.shape.size() > kMaxRank) {
      field.Fail("as many strides as sizes, at most 8", "others");
    }
    tensor.offset = ReadStoredSize(description.Get("storage_offset"));
    tensor.bytes = records.Get(std::string(folder) + field.Get("path_name").Text());
    CheckBounds(tensor, SizeOf(tensor.type), field);
    tensors.emplace(name, std::move(tensor));
  }
  return tensors;
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

std::string NameOf(ValueType type) {
  switch (type) {
    case ValueType::kUint8:
      return "uint8";
    case ValueType::kInt64:
      return "int64";
    case ValueType::kFloat32:
      return "float32";
    case ValueType::kFloat64:
      return "float64";
    case ValueType::kBool:
      return "bool";
    case ValueType::kBfloat16:
      return "bfloat16";
  }
  return "type " + std::to_string(static_cast<int>(type));
}

Program ReadProgram(std::string_view bytes, const std::string& name) try {
  const Records records(bytes, name);
  CheckKind(records);
  const StoredTensors weights = ReadStored(records, kWeights, "model_weights_config.json");
  const StoredTensors constants = ReadStored(records, kConstants, "model_constants_config.json");

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
