#include "bnbench/portable/binding.h"

#include <algorithm>
#include <utility>

#include "bnbench/checked.h"
#include "bnbench/errors.h"
#include "bnbench/portable/printable.h"

namespace bnbench::pt2 {
namespace {

std::string Describe(const std::vector<Size>& sizes) {
  std::string text = "(";
  for (const Size& size : sizes) {
    text += (text.size() > 1 ? ", " : "") +
            (size.symbol.empty() ? std::to_string(size.value) : Printable(size.symbol));
  }
  return text + ")";
}

}  // namespace

void RunStep(const Step& step, std::size_t count, std::vector<Buffer>* memory) {
  if (!step.kernel) {
    (*memory)[step.result] = (*memory)[step.operands[0]];
    return;
  }
  std::vector<const float*> operands;
  for (const std::size_t slot : step.operands) operands.push_back((*memory)[slot].get());
  Buffer result = MakeBuffer(count * step.size);
  step.kernel(count, operands, result.get());
  if (step.rounds_to_bfloat16) {
    std::transform(result.get(), result.get() + count * step.size, result.get(), RoundToBfloat16);
  }
  (*memory)[step.result] = std::move(result);
}

void Binding::Fail(const std::string& expected, const std::string& got) const {
  throw ModelError(plan_.name + ": " + Printable(node_.target) +
                       (node_.outputs.empty() ? "" : " (" + Printable(node_.outputs[0]) + ")"),
                   expected, got, "evaluate it with LibTorch or another runtime");
}

const ArgumentValue* Binding::Peek(std::string_view name) const {
  const ArgumentValue* found = nullptr;
  for (const Argument& argument : node_.arguments) {
    if (argument.name != name) continue;
    Require(found == nullptr, "each argument once", Printable(name) + " twice");
    found = &argument.value;
  }
  return found;
}

const ArgumentValue* Binding::Find(std::string_view name) {
  read_.emplace(name);
  return Peek(name);
}

Value& Binding::Resolve(const std::string& name) {
  const auto found = plan_.values.find(name);
  if (found != plan_.values.end()) {
    Require(!found->second.is_stale, "values that no operator in place has changed",
            Printable(name));
    return found->second;
  }
  const auto stored = plan_.program->tensors.find(name);
  if (stored == plan_.program->tensors.end()) {
    Fail("a value that an operator before it computes", Printable(name));
  }
  const StoredTensorView& tensor = stored->second;
  Require(tensor.type != ValueType::kFloat64, "no tensors in float64", Printable(name));
  std::size_t size = 1;
  for (const std::size_t n : tensor.shape) size = Multiply(size, n);
  Require(size <= kMaxElements, "tensors of at most 2^26 elements", std::to_string(size));
  Value value{.varies = false, .shape = tensor.shape, .type = tensor.type};
  value.slot = MakeSlot(LoadValues(tensor));
  value.storage = value.slot;
  return plan_.values.emplace(name, std::move(value)).first->second;
}

const Value& Binding::Tensor(std::string_view name) {
  const Value* value = OptionalTensor(name);
  if (value == nullptr) Fail("a tensor " + std::string(name), "none");
  return *value;
}

const Value* Binding::OptionalTensor(std::string_view name) {
  const ArgumentValue* found = Find(name);
  if (found == nullptr || std::holds_alternative<std::monostate>(*found)) return nullptr;
  const auto* tensor = std::get_if<TensorName>(found);
  if (tensor == nullptr) Fail("a tensor " + std::string(name), "another value");
  return &Resolve(tensor->name);
}

std::vector<const Value*> Binding::Tensors(std::string_view name) {
  const ArgumentValue* found = Find(name);
  const auto* names = found ? std::get_if<std::vector<TensorName>>(found) : nullptr;
  if (names == nullptr || names->empty()) Fail("tensors " + std::string(name), "none");
  std::vector<const Value*> values;
  for (const TensorName& tensor : *names) values.push_back(&Resolve(tensor.name));
  return values;
}

bool Binding::IsTensor(std::string_view name) const {
  const ArgumentValue* found = Peek(name);
  return found != nullptr && std::holds_alternative<TensorName>(*found);
}

bool Binding::IsNone(std::string_view name) const {
  const ArgumentValue* found = Peek(name);
  return found == nullptr || std::holds_alternative<std::monostate>(*found);
}

std::int64_t Binding::Integer(std::string_view name, std::optional<std::int64_t> otherwise) {
  const ArgumentValue* found = Find(name);
  if (found == nullptr && otherwise) return *otherwise;
  const auto* size = found ? std::get_if<Size>(found) : nullptr;
  if (size == nullptr || !size->symbol.empty())
    Fail("a number " + std::string(name), "another value");
  return size->value;
}

std::vector<Size> Binding::Sizes(std::string_view name) {
  const ArgumentValue* found = Find(name);
  const auto* sizes = found ? std::get_if<std::vector<Size>>(found) : nullptr;
  if (sizes == nullptr) Fail("numbers " + std::string(name), "another value");
  return *sizes;
}

std::vector<std::int64_t> Binding::Integers(std::string_view name,
                                            const std::vector<std::int64_t>& otherwise) {
  if (Find(name) == nullptr) return otherwise;
  std::vector<std::int64_t> numbers;
  for (const Size& size : Sizes(name)) {
    Require(size.symbol.empty(), "numbers " + std::string(name), Printable(size.symbol));
    numbers.push_back(size.value);
  }
  return numbers;
}

double Binding::Number(std::string_view name, std::optional<double> otherwise) {
  const ArgumentValue* found = Find(name);
  if (found == nullptr && otherwise) return *otherwise;
  if (found != nullptr) {
    if (const auto* number = std::get_if<double>(found)) return *number;
    const auto* size = std::get_if<Size>(found);
    if (size != nullptr && size->symbol.empty()) return static_cast<double>(size->value);
  }
  Fail("a number " + std::string(name), "another value");
}

bool Binding::Flag(std::string_view name, bool otherwise) {
  const ArgumentValue* found = Find(name);
  if (found == nullptr) return otherwise;
  const auto* flag = std::get_if<bool>(found);
  if (flag == nullptr) Fail("true or false as " + std::string(name), "another value");
  return *flag;
}

std::string Binding::Text(std::string_view name, const std::string& otherwise) {
  const ArgumentValue* found = Find(name);
  if (found == nullptr) return otherwise;
  const auto* text = std::get_if<std::string>(found);
  if (text == nullptr) Fail("a text " + std::string(name), "another value");
  return *text;
}

ValueType Binding::Type(std::string_view name) {
  const ArgumentValue* found = Find(name);
  const auto* type = found ? std::get_if<ValueType>(found) : nullptr;
  if (type == nullptr) Fail("a type " + std::string(name), "another value");
  return *type;
}

Buffer Binding::Constant(const Value* value) const {
  if (value == nullptr) return nullptr;
  Require(!value->varies, "a parameter, buffer or constant", "a value that depends on the input");
  return plan_.memory[value->slot];
}

const Value& Binding::FloatTensor(std::string_view name) {
  const Value& value = Tensor(name);
  Require(value.is_float(), "float32 or bfloat16", NameOf(value.type));
  return value;
}

std::size_t Binding::Dimension(const Value& value, std::int64_t dimension) const {
  const auto rank = static_cast<std::int64_t>(value.shape.size()) + (value.varies ? 1 : 0);
  const std::int64_t found = dimension < 0 ? dimension + rank : dimension;
  Require(found >= 0 && found < rank, "a dimension of the tensor", std::to_string(dimension));
  Require(!value.varies || found > 0, "operators that treat each input alone",
          "one across the batch dimension");
  return static_cast<std::size_t>(found) - (value.varies ? 1 : 0);
}

std::size_t Binding::MakeSlot(Buffer constant) {
  plan_.memory.push_back(std::move(constant));
  return plan_.memory.size() - 1;
}

void Binding::Define(Value value) {
  Require(!result_.has_value() && !node_.outputs.empty(), "an operator with a result", "none");
  const std::string& name = node_.outputs[0];
  Require(!plan_.program->tensors.contains(name) && !plan_.values.contains(name), "each name once",
          Printable(name) + " twice");
  const auto found = plan_.program->values.find(name);
  if (found == plan_.program->values.end()) Fail("a description of the result", "none");
  const TensorDescription& description = found->second;
  std::vector<Size> sizes;
  if (value.varies) sizes.push_back(plan_.num_inputs);
  for (const std::size_t n : value.shape) sizes.push_back({"", static_cast<std::int64_t>(n)});
  Require(description.type == value.type, "a result in " + NameOf(value.type),
          NameOf(description.type));
  Require(description.sizes == sizes, "a result of shape " + Describe(sizes),
          Describe(description.sizes));
  result_ = value;
  plan_.values.emplace(name, std::move(value));
}

void Binding::Emit(Shape shape, ValueType type, const std::vector<const Value*>& operands,
                   Kernel kernel, std::size_t inner) {
  std::size_t size = 1;
  for (const std::size_t n : shape) size = Multiply(size, n);
  Require(size <= kMaxElements, "values of at most 2^26 elements per input", std::to_string(size));
  Step step{.kernel = std::move(kernel), .size = size, .work = Multiply(size, inner)};
  step.rounds_to_bfloat16 = type == ValueType::kBfloat16;
  Value value{.shape = std::move(shape), .type = type};
  for (const Value* operand : operands) {
    value.varies = value.varies || operand->varies;
    step.operands.push_back(operand->slot);
  }
  value.slot = MakeSlot(nullptr);
  value.storage = value.slot;
  step.result = value.slot;
  if (value.varies) {
    plan_.steps.push_back(std::move(step));
  } else {
    RunStep(step, 1, &plan_.memory);  // a constant is computed once
  }
  Define(std::move(value));
}

void Binding::EmitView(const Value& value, Shape shape) {
  Require(CountElements(shape) == value.size(), "as many elements as before",
          NameShape(shape) + " for " + NameShape(value.shape));
  Value view = value;
  view.shape = std::move(shape);
  view.slot = MakeSlot(plan_.memory[value.slot]);
  if (value.varies) {
    plan_.steps.push_back({.operands = {value.slot}, .result = view.slot, .size = view.size()});
  }
  Define(std::move(view));
}

bool Binding::IsNumInputs(const Size& size) const {
  return !size.symbol.empty() && plan_.numbers.contains(size.symbol);
}

void Binding::EmitNumber(bool is_num_inputs) {
  Require(is_num_inputs && node_.outputs.size() == 1, "no number but that of the inputs",
          "another one");
  plan_.numbers.insert(node_.outputs[0]);
}

const std::string& Binding::NameOfSelf() const {
  const ArgumentValue* found = Peek("self");
  if (found == nullptr) found = Peek("input");
  const auto* self = found ? std::get_if<TensorName>(found) : nullptr;
  if (self == nullptr) Fail("a tensor to change", "none");
  return self->name;
}

void Binding::CheckMayChange() const {
  const std::string& self = NameOfSelf();
  Require(!plan_.program->tensors.contains(self) && self != plan_.program->input,
          "a network that changes nothing of its own as it runs, as in evaluation mode",
          "one that changes " + Printable(self));
}

// The argument's name means the result from now on, and other views of it are not to be used.
void Binding::ChangeSelf() {
  const std::string& self = NameOfSelf();
  const Value before = Resolve(self);
  Require(before.varies, "values that depend on the input", "a constant that is changed");
  Require(result_ && result_->shape == before.shape && result_->type == before.type,
          "a result like the argument that it replaces", "another");
  for (auto& [name, value] : plan_.values) {
    if (value.storage == before.storage) value.is_stale = true;
  }
  plan_.values[self] = *result_;
  plan_.values[node_.outputs[0]] = *result_;
}

void Binding::Finish(bool changes_self) {
  for (const Argument& argument : node_.arguments) {
    if (read_.contains(argument.name)) continue;
    Fail("arguments that this program knows", Printable(argument.name));
  }
  if (changes_self) ChangeSelf();
}

}  // namespace bnbench::pt2
