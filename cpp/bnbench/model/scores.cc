#include "bnbench/model/scores.h"

#include <algorithm>
#include <utility>

namespace bnbench {
namespace {

constexpr std::size_t kTop = 5;

// Whether fewer than five classes come before `target`.
bool IsAmongTop(std::span<const float> row, std::size_t target) {
  std::size_t before = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const bool is_before = row[i] > row[target] || (row[i] == row[target] && i < target);
    before += static_cast<std::size_t>(is_before);
  }
  return before < kTop;
}

}  // namespace

EvaluationRecord Score(Scores scores, std::span<const std::int64_t> targets, double seconds) {
  EvaluationRecord record;
  record.scores = std::move(scores);
  record.seconds = seconds;
  const std::size_t count = record.scores.count();
  const std::size_t width = record.scores.width;
  const bool has_labels = record.scores.kind == OutputKind::kLabels;
  const auto row = [&](std::size_t i) {
    return std::span<const float>(record.scores.values).subspan(i * width, width);
  };
  record.predictions.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    record.predictions.push_back(has_labels ? static_cast<std::int64_t>(row(i)[0])
                                            : std::ranges::max_element(row(i)) - row(i).begin());
  }
  if (targets.empty()) return record;
  std::size_t correct = 0;
  std::size_t correct_top5 = 0;
  const bool has_top5 = !has_labels && width > kTop;
  for (std::size_t i = 0; i < count; ++i) {
    correct += static_cast<std::size_t>(record.predictions[i] == targets[i]);
    if (has_top5 && static_cast<std::size_t>(targets[i]) < width) {
      correct_top5 +=
          static_cast<std::size_t>(IsAmongTop(row(i), static_cast<std::size_t>(targets[i])));
    }
  }
  record.correct = correct;
  if (has_top5) record.correct_top5 = correct_top5;
  return record;
}

}  // namespace bnbench
