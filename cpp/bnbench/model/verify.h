// Compares a model's results with those in its manifest.
#ifndef BNBENCH_MODEL_VERIFY_H_
#define BNBENCH_MODEL_VERIFY_H_

#include <cstddef>
#include <string>

#include "bnbench/model/evaluate.h"
#include "bnbench/model/manifest.h"

namespace bnbench {

struct VerificationRecord {
  std::size_t disagreements = 0;  // predictions that differ
  double max_abs_logit_diff = 0;  // of the probes
  double allowed_logit_diff = 0;
  bool agreed = false;
  std::string reason;  // why the results disagree; empty if they agree
};

// The results agree if the correct count is the same, every prediction is the same, and every probe
// logit is within tolerance · max(1, largest |expected logit| of all probes). Throws ModelError
// if the manifest is for another number of images.
VerificationRecord Verify(const Manifest& manifest, const EvaluationRecord& found,
                          double tolerance);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_VERIFY_H_
