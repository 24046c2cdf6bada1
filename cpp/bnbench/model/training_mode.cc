#include "bnbench/model/training_mode.h"

#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

constexpr char kFlag[] = "training";

// All nodes, also of the blocks of branches and loops.
void ListNodes(Block* block, std::vector<Node*>* nodes) {
  for (Node* node : block->nodes()) {
    nodes->push_back(node);
    for (Block* inner : node->blocks()) ListNodes(inner, nodes);
  }
}

// The attributes that lead from the model to `value`; nothing if something else does.
std::optional<std::vector<std::string>> FindPath(const Value* value, const Value* model) {
  std::vector<std::string> path;
  while (value != model) {
    const Node* node = value->node();
    if (node->kind() != c10::prim::GetAttr) return std::nullopt;
    path.insert(path.begin(), node->s(c10::attr::name));
    value = node->input();
  }
  return path;
}

std::string Join(const std::vector<std::string>& path, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ".") + path[i];
  return text;
}

bool IsSet(const torch::jit::Module& model, const std::vector<std::string>& path) {
  c10::IValue value = model._ivalue();
  for (const std::string& name : path) {
    if (!value.isObject() || !value.toObjectRef().type()->hasAttribute(name)) return false;
    value = value.toObjectRef().getAttr(name);
  }
  return value.isBool() && value.toBool();
}

// The constant that the argument `name` of the node is; nothing if it has none.
std::optional<c10::IValue> FindConstant(const Node* node, std::string_view name) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return std::nullopt;
  const std::vector<c10::Argument>& arguments = schema->arguments();
  for (std::size_t i = 0; i < arguments.size() && i < node->inputs().size(); ++i) {
    if (arguments[i].name() == name) return torch::jit::toIValue(node->input(i));
  }
  return std::nullopt;
}

// Whether a module normalizes by statistics that it keeps.
bool HasStatistics(const Value* module) {
  const c10::ClassTypePtr type = module->type()->cast<c10::ClassType>();
  return type && type->hasAttribute("running_mean");
}

bool IsPositive(const std::optional<c10::IValue>& value) {
  return value && value->isDouble() && value->toDouble() > 0;
}

// Whether the node computes as in training, whatever any flag says.
bool IsTraining(const Node* node) {
  for (const char* probability : {"p", "dropout"}) {
    const std::optional<c10::IValue> value = FindConstant(node, probability);
    if (value && value->isDouble() && value->toDouble() == 0) return false;
  }
  for (const char* argument : {kFlag, "train"}) {
    const std::optional<c10::IValue> value = FindConstant(node, argument);
    if (value && value->isBool() && value->toBool()) return true;
  }
  return IsPositive(FindConstant(node, "dropout_p"));
}

// The module that the node belongs to, or else its operator.
std::string NameNode(const Node* node, const Value* model) {
  for (const Value* input : node->inputs()) {
    const std::optional<std::vector<std::string>> path = FindPath(input, model);
    if (path && path->size() > 1) return Join(*path, path->size() - 1);
  }
  return node->kind().toUnqualString();
}

// The faults found so far, of which one is told.
class Faults {
 public:
  void Add(const std::string& name, bool is_normalization, bool is_fixed) {
    if (!fault_.text.empty() && (!is_normalization || has_normalization_) &&
        (!is_fixed || fault_.is_fixed)) {
      return;
    }
    has_normalization_ = is_normalization;
    fault_.is_fixed = is_fixed;
    fault_.text =
        ComposeError(name.empty() ? "the model" : "`" + name + "`", "evaluation mode",
                     std::string("training mode") + (is_fixed ? " fixed in its graph" : "") +
                         (is_normalization ? ", which uses the batch's statistics" : ""),
                     "call eval() before exporting");
  }

  const TrainingFault& told() const { return fault_; }

 private:
  TrainingFault fault_;
  bool has_normalization_ = false;
};

}  // namespace

TrainingFault FindTrainingFault(const torch::jit::Module& model) {
  std::shared_ptr<Graph> graph = model.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  const Value* self = graph->inputs().at(0);
  Faults faults;

  std::vector<Node*> nodes;
  ListNodes(graph->block(), &nodes);
  for (Node* node : nodes) {
    if (node->kind() != c10::prim::GetAttr || node->s(c10::attr::name) != kFlag) continue;
    const std::optional<std::vector<std::string>> path = FindPath(node->output(), self);
    if (!path) continue;
    if (node->output()->hasUses() && IsSet(model, *path)) {
      faults.Add(Join(*path, path->size() - 1), HasStatistics(node->input()), false);
    }
    // What is left once eval() has cleared all flags.
    const torch::jit::WithInsertPoint guard(node);
    node->output()->replaceAllUsesWith(graph->insertConstant(false));
  }

  torch::jit::ConstantPropagationImmutableTypes(graph);
  nodes.clear();
  ListNodes(graph->block(), &nodes);
  for (const Node* node : nodes) {
    if (!IsTraining(node)) continue;
    const bool is_normalization =
        std::string_view(node->kind().toUnqualString()).find("norm") != std::string_view::npos;
    faults.Add(NameNode(node, graph->inputs().at(0)), is_normalization, true);
  }
  return faults.told();
}

}  // namespace bnbench
