#include "bnbench/model/verify.h"

#include <doctest/doctest.h>

#include "bnbench/errors.h"

using bnbench::EvaluationRecord;
using bnbench::Manifest;
using bnbench::VerificationRecord;
using bnbench::Verify;

namespace {

// Eight images, all predicted 3; the largest expected probe logit is 4.
Manifest MakeManifest() {
  Manifest manifest{};
  manifest.total = 8;
  manifest.correct = 6;
  manifest.predictions = "33333333";
  manifest.probes.push_back({2, {0, 0, 0, 4, 0, 0, 0, 0, 0, -2}});
  return manifest;
}

EvaluationRecord MakeRecord() {
  EvaluationRecord record;
  record.predictions = "33333333";
  record.correct = 6;
  record.logits.assign(80, 0);
  record.logits[23] = 4;
  record.logits[29] = -2;
  return record;
}

}  // namespace

TEST_CASE("equal results agree") {
  const VerificationRecord verified = Verify(MakeManifest(), MakeRecord(), 0);
  CHECK(verified.agreed);
  CHECK(verified.reason.empty());
  CHECK(verified.disagreements == 0);
  CHECK(verified.max_abs_logit_diff == 0.0);
}

TEST_CASE("one more correct image is a disagreement, even with equal predictions") {
  EvaluationRecord record = MakeRecord();
  record.correct = 7;
  const VerificationRecord verified = Verify(MakeManifest(), record, 1e-4);
  CHECK_FALSE(verified.agreed);
  CHECK(verified.reason == "correct: expected 6, got 7");
}

TEST_CASE("differing predictions are counted and the first five named") {
  EvaluationRecord record = MakeRecord();
  record.predictions = "34333330";
  const VerificationRecord two = Verify(MakeManifest(), record, 1e-4);
  CHECK_FALSE(two.agreed);
  CHECK(two.disagreements == 2);
  CHECK(two.reason ==
        "predictions: expected those of the manifest, got 2 of 8 that differ (image 1 7)");

  record.predictions = "00000000";
  const VerificationRecord all = Verify(MakeManifest(), record, 1e-4);
  CHECK(all.disagreements == 8);
  CHECK(
      all.reason ==
      "predictions: expected those of the manifest, got 8 of 8 that differ (image 0 1 2 3 4 ...)");
}

TEST_CASE("the allowed logit difference grows with the largest expected logit") {
  EvaluationRecord record = MakeRecord();
  record.logits[29] = -2.375F;
  // Allowed: 0.1 · 4 = 0.4, then 0.09 · 4 = 0.36; the difference is 0.375.
  const VerificationRecord within = Verify(MakeManifest(), record, 0.1);
  CHECK(within.agreed);
  CHECK(within.max_abs_logit_diff == 0.375);
  CHECK(within.allowed_logit_diff == doctest::Approx(0.4));
  const VerificationRecord beyond = Verify(MakeManifest(), record, 0.09);
  CHECK_FALSE(beyond.agreed);
  CHECK(beyond.reason == "probe logits: expected a difference of at most 0.36, got 0.375");
}

TEST_CASE("small expected logits are allowed the tolerance itself") {
  Manifest manifest = MakeManifest();
  manifest.probes[0].logits = {};
  EvaluationRecord record = MakeRecord();
  record.logits.assign(80, 0.05F);
  CHECK(Verify(manifest, record, 0.06).agreed);
  CHECK_FALSE(Verify(manifest, record, 0.04).agreed);
}

TEST_CASE("a manifest for another number of images is no manifest for this test set") {
  Manifest manifest = MakeManifest();
  manifest.total = 9;
  CHECK_THROWS_WITH_AS(Verify(manifest, MakeRecord(), 0),
                       doctest::Contains("expected 8 test images, got 9 in the manifest"),
                       bnbench::ModelError);
}
