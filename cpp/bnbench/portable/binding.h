// From the nodes of a graph to the steps that compute it: what an operator is bound with.
//
// Every value of a network belongs to one input, or to none (a constant): its first dimension is
// that of the inputs, and no operator may touch it. So a network that is bound gives an input the
// same logits in any company.
#ifndef BNBENCH_PORTABLE_BINDING_H_
#define BNBENCH_PORTABLE_BINDING_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "bnbench/portable/program.h"
#include "bnbench/portable/tensor.h"

namespace bnbench::pt2 {

// Writes `count` results in C order; `operands` are in the order in which they were given.
using Kernel =
    std::function<void(std::size_t count, std::span<const float* const> operands, float* result)>;

struct Value {
  bool varies = false;  // whether there is one for each input; else it is a constant
  Shape shape;          // for one input
  ValueType type = ValueType::kFloat32;
  std::size_t slot = 0;     // in the steps' memory
  std::size_t storage = 0;  // the same for all views of one tensor
  bool is_stale = false;    // a view of a tensor that was changed since

  std::size_t size() const { return CountElements(shape); }
  bool is_float() const { return type == ValueType::kFloat32 || type == ValueType::kBfloat16; }
  // From one input's value to the next one's.
  std::size_t stride() const { return varies ? size() : 0; }
};

struct Step {
  Kernel kernel = nullptr;  // null: the result is the operand's memory
  std::vector<std::size_t> operands = {};
  std::size_t result = 0;
  std::size_t size = 0;  // of the result for one input
  std::size_t work = 0;  // multiplications for one input, roughly
  bool rounds_to_bfloat16 = false;
  std::vector<std::size_t> last_uses = {};  // slots that no later step needs
};

// What the steps of a network are made in, node by node.
struct Plan {
  const Program* program = nullptr;
  std::string name;      // of the file, for errors
  Size num_inputs = {};  // the first dimension of the input, in the graph
  std::map<std::string, Value, std::less<>> values = {};
  std::set<std::string, std::less<>> numbers = {};  // names of numbers that are `num_inputs`
  std::vector<Buffer> memory = {};                  // constants; null for other values
  std::vector<Step> steps = {};
};

// The largest value for one input, in elements: 256 MiB.
inline constexpr std::size_t kMaxElements = std::size_t{1} << 26;

// Computes a step for `count` inputs. `memory` has the values of all slots.
void RunStep(const Step& step, std::size_t count, std::vector<Buffer>* memory);

// One node while it is bound. Every method throws ModelError, which names the node, unless the
// graph is as it asks.
class Binding {
 public:
  Binding(Plan* plan, const Node& node) : plan_(*plan), node_(node) {}

  [[noreturn]] void Fail(const std::string& expected, const std::string& got) const;
  void Require(bool holds, const std::string& expected, const std::string& got) const {
    if (!holds) Fail(expected, got);
  }

  // The arguments of the node by their names; each takes what torch leaves out, its default.
  const Value& Tensor(std::string_view name);
  const Value* OptionalTensor(std::string_view name);
  std::vector<const Value*> Tensors(std::string_view name);
  bool IsTensor(std::string_view name) const;
  std::int64_t Integer(std::string_view name, std::optional<std::int64_t> otherwise = {});
  std::vector<std::int64_t> Integers(std::string_view name,
                                     const std::vector<std::int64_t>& otherwise);
  std::vector<Size> Sizes(std::string_view name);
  double Number(std::string_view name, std::optional<double> otherwise = {});
  bool Flag(std::string_view name, bool otherwise);
  std::string Text(std::string_view name, const std::string& otherwise);
  ValueType Type(std::string_view name);
  bool IsNone(std::string_view name) const;
  void Ignore(std::string_view name) { Find(name); }

  // A constant's values; nothing for null.
  Buffer Constant(const Value* value) const;
  const Value& FloatTensor(std::string_view name);
  // The number of a dimension in the shape for one input; negative ones count from the end.
  std::size_t Dimension(const Value& value, std::int64_t dimension) const;

  // What the node computes. `Emit` makes a value, `EmitView` another shape of one.
  // `inner` is how many operations an element takes.
  void Emit(Shape shape, ValueType type, const std::vector<const Value*>& operands, Kernel kernel,
            std::size_t inner = 1);
  void EmitView(const Value& value, Shape shape);
  void EmitNumber(bool is_num_inputs);
  bool IsNumInputs(const Size& size) const;

  // For an operator in place: throws unless what it changes is a value of the network.
  void CheckMayChange() const;

  // Ends the binding: all arguments were read, the result is what the graph says of it.
  void Finish(bool changes_self);

 private:
  const ArgumentValue* Find(std::string_view name);
  const ArgumentValue* Peek(std::string_view name) const;
  Value& Resolve(const std::string& name);
  std::size_t MakeSlot(Buffer constant);
  void Define(Value value);
  const std::string& NameOfSelf() const;
  void ChangeSelf();

  Plan& plan_;
  const Node& node_;
  std::set<std::string, std::less<>> read_;
  std::optional<Value> result_;
};

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_BINDING_H_
