#include "bnbench/model/verify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bnbench/errors.h"
#include "bnbench/model/neighbors.h"

namespace bnbench {
namespace {

constexpr std::size_t kNamedDisagreements = 5;

std::string Scientific(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

// How far the prediction leads the class that was expected.
double Lead(const EvaluationRecord& found, std::size_t input, std::int64_t expected) {
  const std::size_t first = input * found.scores.width;
  const auto score = [&](std::int64_t label) {
    return static_cast<double>(found.scores.values[first + static_cast<std::size_t>(label)]);
  };
  return score(found.predictions[input]) - score(expected);
}

// Counts the predictions that differ and appends the first of their inputs to `inputs`.
void CountDisagreements(const Manifest& manifest, const EvaluationRecord& found, bool explains,
                        VerificationRecord* record, std::string* inputs) {
  for (std::size_t i = 0; i < manifest.total; ++i) {
    if (manifest.predictions[i] == found.predictions[i]) continue;
    ++record->disagreements;
    if (explains && Lead(found, i, manifest.predictions[i]) <= 2 * record->allowed_logit_diff) {
      ++record->explained;
    } else if (record->disagreements - record->explained <= kNamedDisagreements) {
      *inputs += " " + std::to_string(i);
    }
  }
  if (record->disagreements - record->explained > kNamedDisagreements) *inputs += " ...";
}

void CompareProbes(const Manifest& manifest, const EvaluationRecord& found, double tolerance,
                   VerificationRecord* record) {
  double largest_diff = 0;
  double largest_expected = 0;
  const std::size_t width = found.scores.width;
  for (const Probe& probe : manifest.probes) {
    for (std::size_t k = 0; k < width; ++k) {
      const double score = found.scores.values[probe.index * width + k];
      largest_diff = std::max(largest_diff, std::abs(score - probe.scores[k]));
      largest_expected = std::max(largest_expected, std::abs(probe.scores[k]));
    }
  }
  record->max_abs_logit_diff = largest_diff;
  record->allowed_logit_diff = tolerance * std::max(1.0, largest_expected);
}

std::string ExplainDisagreement(const Manifest& manifest, const EvaluationRecord& found,
                                const VerificationRecord& record, const std::string& inputs) {
  std::string reason;
  const auto add = [&reason](const std::string& text) {
    reason += (reason.empty() ? "" : "; ") + text;
  };
  const std::size_t unexplained = record.disagreements - record.explained;
  if (found.correct && *found.correct != manifest.correct &&
      (unexplained > 0 || record.explained == 0)) {
    add(ComposeError("correct", std::to_string(manifest.correct), std::to_string(*found.correct)));
  }
  if (unexplained > 0) {
    add(ComposeError("predictions", "those of the manifest",
                     std::to_string(unexplained) + " of " + std::to_string(manifest.total) +
                         " that differ (input" + inputs + ")"));
  }
  if (record.max_abs_logit_diff > record.allowed_logit_diff) {
    add(ComposeError("probe scores",
                     "a difference of at most " + Scientific(record.allowed_logit_diff),
                     Scientific(record.max_abs_logit_diff)));
  }
  return reason;
}

}  // namespace

VerificationRecord Verify(const Manifest& manifest, const EvaluationRecord& found, double tolerance,
                          double epsilon) {
  if (found.predictions.size() != manifest.total) {
    throw ModelError("expected.total", std::to_string(found.predictions.size()) + " inputs",
                     std::to_string(manifest.total) + " in the manifest", "export the model again");
  }
  const double by_rounding = epsilon > Epsilon(DType::kFloat32) ? NeighborTolerance(epsilon) : 0;
  const bool explains = by_rounding > tolerance && found.scores.kind != OutputKind::kLabels;
  VerificationRecord record;
  std::string inputs;
  CompareProbes(manifest, found, std::max(tolerance, by_rounding), &record);
  CountDisagreements(manifest, found, explains, &record, &inputs);
  record.reason = ExplainDisagreement(manifest, found, record, inputs);
  record.agreed = record.reason.empty();
  return record;
}

}  // namespace bnbench
