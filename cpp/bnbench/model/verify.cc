#include "bnbench/model/verify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

constexpr std::size_t kNamedDisagreements = 5;

std::string Scientific(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

// Counts the predictions that differ and appends the first of their images to `images`.
std::size_t CountDisagreements(const Manifest& manifest, const EvaluationRecord& found,
                               std::string* images) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < manifest.total; ++i) {
    if (manifest.predictions[i] == found.predictions[i]) continue;
    if (++count <= kNamedDisagreements) *images += " " + std::to_string(i);
  }
  if (count > kNamedDisagreements) *images += " ...";
  return count;
}

void CompareProbes(const Manifest& manifest, const EvaluationRecord& found, double tolerance,
                   VerificationRecord* record) {
  double largest_diff = 0;
  double largest_expected = 0;
  for (const Probe& probe : manifest.probes) {
    for (std::size_t k = 0; k < kNumClasses; ++k) {
      const double logit = found.logits[probe.index * kNumClasses + k];
      largest_diff = std::max(largest_diff, std::abs(logit - probe.logits[k]));
      largest_expected = std::max(largest_expected, std::abs(probe.logits[k]));
    }
  }
  record->max_abs_logit_diff = largest_diff;
  record->allowed_logit_diff = tolerance * std::max(1.0, largest_expected);
}

std::string ExplainDisagreement(const Manifest& manifest, const EvaluationRecord& found,
                                const VerificationRecord& record, const std::string& images) {
  std::string reason;
  const auto add = [&reason](const std::string& text) {
    reason += (reason.empty() ? "" : "; ") + text;
  };
  if (found.correct != manifest.correct) {
    add(ComposeError("correct", std::to_string(manifest.correct), std::to_string(found.correct)));
  }
  if (record.disagreements > 0) {
    add(ComposeError("predictions", "those of the manifest",
                     std::to_string(record.disagreements) + " of " +
                         std::to_string(manifest.total) + " that differ (image" + images + ")"));
  }
  if (record.max_abs_logit_diff > record.allowed_logit_diff) {
    add(ComposeError("probe logits",
                     "a difference of at most " + Scientific(record.allowed_logit_diff),
                     Scientific(record.max_abs_logit_diff)));
  }
  return reason;
}

}  // namespace

VerificationRecord Verify(const Manifest& manifest, const EvaluationRecord& found,
                          double tolerance) {
  if (found.predictions.size() != manifest.total) {
    throw ModelError("expected.total", std::to_string(found.predictions.size()) + " test images",
                     std::to_string(manifest.total) + " in the manifest", "export the model again");
  }
  VerificationRecord record;
  std::string images;
  record.disagreements = CountDisagreements(manifest, found, &images);
  CompareProbes(manifest, found, tolerance, &record);
  record.reason = ExplainDisagreement(manifest, found, record, images);
  record.agreed = record.reason.empty();
  return record;
}

}  // namespace bnbench
