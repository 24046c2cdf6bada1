// Compares a model's results with those in its manifest.
#ifndef BNBENCH_MODEL_VERIFY_H_
#define BNBENCH_MODEL_VERIFY_H_

#include <cstddef>
#include <string>

#include "bnbench/model/manifest.h"
#include "bnbench/model/scores.h"

namespace bnbench {

struct VerificationRecord {
  std::size_t disagreements = 0;  // predictions that differ
  std::size_t explained = 0;      // those that rounding in 16 bits explains
  double max_abs_logit_diff = 0;  // of the probes
  double allowed_logit_diff = 0;
  bool agreed = false;
  std::string reason;  // why the results disagree; empty if they agree
};

// The results agree if the correct count is the same, every prediction is the same, and every score
// of the probes is within tolerance * max(1, largest |expected score| of all probes). The tolerance
// is at least 32 units of a model's coarsest type, which has the machine epsilon `epsilon`. Where
// that is more than `tolerance`, a prediction may differ if its lead is within twice what is
// allowed. Throws ModelError if the manifest is for another number of inputs.
VerificationRecord Verify(const Manifest& manifest, const EvaluationRecord& found, double tolerance,
                          double epsilon);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_VERIFY_H_
