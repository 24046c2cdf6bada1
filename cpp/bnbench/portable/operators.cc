#include "bnbench/portable/operators.h"

#include <algorithm>
#include <map>

#include "bnbench/errors.h"
#include "bnbench/portable/printable.h"

namespace bnbench::pt2 {
namespace {

constexpr std::string_view kPrefix = "torch.ops.aten.";

using Binders = std::map<std::string_view, void (*)(Binding&)>;

Binders MakeBinders() {
  Binders binders;
  for (const auto& list : {ListProductOperators(), ListReductionOperators(), ListPoolingOperators(),
                           ListPointwiseOperators(), ListCopyOperators(), ListViewOperators()}) {
    for (const Operator& known : list) binders.emplace(known.target, known.bind);
  }
  return binders;
}

}  // namespace

void BindNode(Plan* plan, const Node& node) {
  static const Binders binders = MakeBinders();
  Binding binding(plan, node);
  std::string_view target = node.target;
  if (!target.starts_with(kPrefix)) binding.Fail("an operator of aten", "another one");
  target.remove_prefix(kPrefix.size());
  // "relu_.default" is "relu.default" in place.
  const std::size_t dot = std::min(target.find('.'), target.size());
  const bool is_in_place = dot > 0 && target[dot - 1] == '_';
  std::string name(target);
  if (is_in_place) name.erase(dot - 1, 1);
  const auto found = binders.find(name);
  if (found == binders.end()) binding.Fail("an operator that this program knows", "an unknown one");
  if (is_in_place) binding.CheckMayChange();
  found->second(binding);
  binding.Finish(is_in_place);
}

}  // namespace bnbench::pt2
