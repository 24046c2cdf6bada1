#include "bnbench/model/outputs.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::EvaluationRecord;
using bnbench::Outputs;
using bnbench::testing::Contains;
using bnbench::testing::TemporaryFolder;

namespace {

EvaluationRecord MakeRecord(float logit, std::vector<std::int64_t> predictions,
                            std::size_t width = 10) {
  EvaluationRecord record;
  record.scores = {bnbench::OutputKind::kLogits, width, std::vector<float>(2 * width, logit)};
  record.predictions = std::move(predictions);
  return record;
}

float FloatAt(const std::string& bytes, std::size_t index) {
  float value = 0;
  std::memcpy(&value, bytes.data() + 128 + index * sizeof value, sizeof value);
  return value;
}

}  // namespace

TEST_CASE("one model's arrays have no dimension for the model") {
  const TemporaryFolder folder;
  Outputs outputs(folder.File("l.npy"), folder.File("p.npy"), 1, 2);
  outputs.Write(0, MakeRecord(0.5F, {3, 7}));
  outputs.Commit(10);
  CHECK(Contains(folder.Read("l.npy"), "'descr': '<f4'"));
  CHECK(Contains(folder.Read("l.npy"), "'shape': (2, 10)"));
  CHECK(Contains(folder.Read("p.npy"), "'descr': '|u1'"));
  CHECK(Contains(folder.Read("p.npy"), "'shape': (2,)"));
  CHECK(folder.Read("p.npy").ends_with("\n\x03\x07"));
}

TEST_CASE("several models lie in the order given, and an unusable one is NaN and 255") {
  const TemporaryFolder folder;
  Outputs outputs(folder.File("l.npy"), folder.File("p.npy"), 3, 2);
  outputs.Write(2, MakeRecord(2.5F, {9, 8}));
  outputs.WriteUnusable(1);
  outputs.Write(0, MakeRecord(0.5F, {3, 7}));
  outputs.Commit(10);
  const std::string logits = folder.Read("l.npy");
  CHECK(Contains(logits, "'shape': (3, 2, 10)"));
  REQUIRE(logits.size() == 128 + 60 * sizeof(float));
  CHECK(FloatAt(logits, 19) == 0.5F);
  CHECK(std::isnan(FloatAt(logits, 20)));
  CHECK(std::isnan(FloatAt(logits, 39)));
  CHECK(FloatAt(logits, 40) == 2.5F);
  CHECK(folder.Read("p.npy").ends_with("\n\x03\x07\xff\xff\x09\x08"));
}

TEST_CASE("what is not asked for is not written") {
  const TemporaryFolder folder;
  Outputs outputs("", folder.File("p.npy"), 1, 2);
  outputs.Write(0, MakeRecord(0.5F, {3, 7}));
  outputs.WriteUnusable(0);
  outputs.Commit(10);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a model before the first that has results is written as well, and one alone") {
  const TemporaryFolder folder;
  Outputs outputs(folder.File("l.npy"), folder.File("p.npy"), 2, 2);
  outputs.WriteUnusable(0);
  outputs.Write(1, MakeRecord(0.5F, {3, 7}, 3));
  outputs.Commit(10);
  CHECK(Contains(folder.Read("l.npy"), "'shape': (2, 2, 3)"));
  CHECK(std::isnan(FloatAt(folder.Read("l.npy"), 5)));
  CHECK(FloatAt(folder.Read("l.npy"), 6) == 0.5F);
  CHECK(folder.Read("p.npy").ends_with("\n\xff\xff\x03\x07"));

  Outputs none(folder.File("l.npy"), folder.File("p.npy"), 1, 2);
  none.WriteUnusable(0);
  none.Commit(4);
  CHECK(Contains(folder.Read("l.npy"), "'shape': (2, 4)"));
  CHECK(folder.Read("p.npy").ends_with("\n\xff\xff"));
}

TEST_CASE("more classes than a byte has take 32 bits, and so do labels") {
  const TemporaryFolder folder;
  Outputs outputs("", folder.File("p.npy"), 2, 2);
  outputs.Write(0, MakeRecord(0, {300, 1}, 1000));
  outputs.WriteUnusable(1);
  outputs.Commit(10);
  CHECK(Contains(folder.Read("p.npy"), "'descr': '<i4'"));
  CHECK(folder.Read("p.npy").ends_with(
      std::string("\n\x2c\x01\0\0\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 17)));

  EvaluationRecord labels = MakeRecord(3, {3, 3}, 1);
  labels.scores.kind = bnbench::OutputKind::kLabels;
  Outputs of_labels("", folder.File("p.npy"), 1, 2);
  of_labels.Write(0, labels);
  of_labels.Commit(10);
  CHECK(Contains(folder.Read("p.npy"), "'descr': '<i4'"));
  Outputs logits(folder.File("l.npy"), "", 1, 2);
  CHECK_THROWS_AS(logits.Write(0, labels), bnbench::UsageError);
}

TEST_CASE("models of different numbers of classes do not fit into one array") {
  const TemporaryFolder folder;
  Outputs outputs(folder.File("l.npy"), "", 2, 2);
  outputs.Write(0, MakeRecord(0, {3, 7}));
  CHECK_THROWS_WITH_AS(outputs.Write(1, MakeRecord(0, {3, 7}, 11)),
                       doctest::Contains("models of 10 classes, as the first one, got 11"),
                       bnbench::UsageError);
}
