#include "bnbench/model/verify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bnbench/errors.h"
#include "bnbench/io/sha256.h"

namespace bnbench {
namespace {

constexpr std::size_t kNamedDisagreements = 5;

std::string Scientific(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

void ComparePredictions(const Manifest& manifest, const EvaluationRecord& found,
                        VerificationRecord* record) {
  for (std::size_t i = 0; i < manifest.total; ++i) {
    if (manifest.predictions[i] == found.predictions[i]) continue;
    ++record->disagreements;
    if (record->first_disagreements.size() < kNamedDisagreements) {
      record->first_disagreements.push_back(i);
    }
  }
}

void CompareProbes(const Manifest& manifest, const EvaluationRecord& found, double tolerance,
                   VerificationRecord* record) {
  if (manifest.probes.empty()) return;
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
                                const VerificationRecord& record) {
  std::string reason;
  const auto add = [&reason](const std::string& text) {
    reason += (reason.empty() ? "" : "; ") + text;
  };
  if (found.correct != manifest.correct) {
    add("correct count must be " + std::to_string(manifest.correct) + " and is " +
        std::to_string(found.correct));
  }
  if (record.disagreements > 0) {
    std::string text = std::to_string(record.disagreements) + " of " +
                       std::to_string(manifest.total) + " predictions differ (image";
    for (const std::size_t index : record.first_disagreements) {
      text += " " + std::to_string(index);
    }
    add(text + (record.disagreements > kNamedDisagreements ? " ...)" : ")"));
  } else if (Sha256Hex(found.predictions) != manifest.predictions_sha256) {
    // Out of reach as long as the manifest's reader checks this hash against the digits; kept so
    // that agreement never rests on that check alone.
    add("the SHA-256 of the predictions must be " + manifest.predictions_sha256);
  }
  if (record.max_abs_logit_diff.value_or(0) > record.allowed_logit_diff) {
    add("probe logits must be within " + Scientific(record.allowed_logit_diff) + " and differ by " +
        Scientific(*record.max_abs_logit_diff));
  }
  return reason;
}

}  // namespace

VerificationRecord Verify(const Manifest& manifest, const EvaluationRecord& found,
                          double tolerance) {
  if (found.predictions.size() != manifest.total) {
    throw ModelError("the manifest speaks of " + std::to_string(manifest.total) +
                     " test images, and the test set has " +
                     std::to_string(found.predictions.size()) + "; export the model again");
  }
  VerificationRecord record;
  ComparePredictions(manifest, found, &record);
  CompareProbes(manifest, found, tolerance, &record);
  record.reason = ExplainDisagreement(manifest, found, record);
  record.agreed = record.reason.empty();
  return record;
}

}  // namespace bnbench
