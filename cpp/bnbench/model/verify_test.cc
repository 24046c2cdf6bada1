#include "bnbench/model/verify.h"

#include <doctest/doctest.h>

#include "bnbench/errors.h"

using bnbench::EvaluationRecord;
using bnbench::Manifest;
using bnbench::VerificationRecord;

namespace {

VerificationRecord Verify(const Manifest& manifest, const EvaluationRecord& found,
                          double tolerance) {
  return bnbench::Verify(manifest, found, tolerance, 0x1p-23);
}

// Eight images, all predicted 3; the largest expected probe logit is 4.
Manifest MakeManifest() {
  Manifest manifest{};
  manifest.total = 8;
  manifest.correct = 6;
  manifest.predictions.assign(8, 3);
  manifest.probes.push_back({2, {0, 0, 0, 4, 0, 0, 0, 0, 0, -2}});
  return manifest;
}

EvaluationRecord MakeRecord() {
  EvaluationRecord record;
  record.predictions.assign(8, 3);
  record.correct = 6;
  record.scores = {bnbench::OutputKind::kLogits, 10, std::vector<float>(80, 0)};
  record.scores.values[23] = 4;
  record.scores.values[29] = -2;
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
  record.predictions[1] = 4;
  record.predictions[7] = 0;
  const VerificationRecord two = Verify(MakeManifest(), record, 1e-4);
  CHECK_FALSE(two.agreed);
  CHECK(two.disagreements == 2);
  CHECK(two.reason ==
        "predictions: expected those of the manifest, got 2 of 8 that differ (input 1 7)");

  record.predictions.assign(8, 0);
  const VerificationRecord all = Verify(MakeManifest(), record, 1e-4);
  CHECK(all.disagreements == 8);
  CHECK(
      all.reason ==
      "predictions: expected those of the manifest, got 8 of 8 that differ (input 0 1 2 3 4 ...)");
}

TEST_CASE("the allowed logit difference grows with the largest expected logit") {
  EvaluationRecord record = MakeRecord();
  record.scores.values[29] = -2.375F;
  // Allowed: 0.1 · 4 = 0.4, then 0.09 · 4 = 0.36; the difference is 0.375.
  const VerificationRecord within = Verify(MakeManifest(), record, 0.1);
  CHECK(within.agreed);
  CHECK(within.max_abs_logit_diff == 0.375);
  CHECK(within.allowed_logit_diff == doctest::Approx(0.4));
  const VerificationRecord beyond = Verify(MakeManifest(), record, 0.09);
  CHECK_FALSE(beyond.agreed);
  CHECK(beyond.reason == "probe scores: expected a difference of at most 0.36, got 0.375");
}

TEST_CASE("small expected logits are allowed the tolerance itself") {
  Manifest manifest = MakeManifest();
  manifest.probes[0].scores.assign(10, 0);
  EvaluationRecord record = MakeRecord();
  record.scores.values.assign(80, 0.05F);
  CHECK(Verify(manifest, record, 0.06).agreed);
  CHECK_FALSE(Verify(manifest, record, 0.04).agreed);
}

TEST_CASE("a manifest for another number of images is no manifest for this test set") {
  Manifest manifest = MakeManifest();
  manifest.total = 9;
  CHECK_THROWS_WITH_AS(Verify(manifest, MakeRecord(), 0),
                       doctest::Contains("expected 8 inputs, got 9 in the manifest"),
                       bnbench::ModelError);
}

TEST_CASE("types of 16 bits are allowed 32 units, and predictions within them") {
  constexpr double kBfloat16 = 0x1p-7;
  EvaluationRecord record = MakeRecord();
  // Allowed: 32 units of 2^-7 are 0.25, times the largest expected score, 4: that is 1.
  record.scores.values[23] = 4.5F;
  record.predictions[1] = 4;
  record.scores.values[14] = 2;  // it leads by 2, which two scores that are off by 1 explain
  record.correct = 5;
  const VerificationRecord within = bnbench::Verify(MakeManifest(), record, 1e-4, kBfloat16);
  CHECK(within.agreed);
  CHECK(within.disagreements == 1);
  CHECK(within.explained == 1);
  CHECK(within.allowed_logit_diff == 1);
  CHECK_FALSE(Verify(MakeManifest(), record, 1e-4).agreed);

  record.scores.values[14] = 2.5F;
  const VerificationRecord beyond = bnbench::Verify(MakeManifest(), record, 1e-4, kBfloat16);
  CHECK_FALSE(beyond.agreed);
  CHECK(beyond.explained == 0);
}

TEST_CASE("labels are compared as they are, and a missing count is not compared") {
  Manifest manifest = MakeManifest();
  manifest.probes.clear();
  EvaluationRecord record = MakeRecord();
  record.scores = {bnbench::OutputKind::kLabels, 1, std::vector<float>(8, 3)};
  record.correct.reset();
  CHECK(Verify(manifest, record, 1e-4).agreed);
  record.predictions[0] = 2;
  CHECK_FALSE(bnbench::Verify(manifest, record, 1e-4, 0x1p-7).agreed);
}
