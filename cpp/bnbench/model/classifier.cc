#include "bnbench/model/classifier.h"

#include <algorithm>
#include <array>

namespace bnbench {
namespace {

struct Entry {
  OutputKind kind;
  std::string_view name;
};

// In the order of OutputKind.
constexpr std::array<Entry, 4> kKinds = {{
    {OutputKind::kLogits, "logits"},
    {OutputKind::kProbabilities, "probabilities"},
    {OutputKind::kLogProbabilities, "log-probabilities"},
    {OutputKind::kLabels, "labels"},
}};

}  // namespace

std::string_view Name(OutputKind kind) { return kKinds[static_cast<std::size_t>(kind)].name; }

std::optional<OutputKind> FindOutputKind(std::string_view name) {
  const auto* found = std::ranges::find(kKinds, name, &Entry::name);
  if (found == kKinds.end()) return std::nullopt;
  return found->kind;
}

}  // namespace bnbench
