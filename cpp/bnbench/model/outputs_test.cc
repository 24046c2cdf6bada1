#include "bnbench/model/outputs.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "tests/fixtures.h"

using bnbench::EvaluationRecord;
using bnbench::Outputs;
using bnbench::testing::Contains;
using bnbench::testing::TemporaryFolder;

namespace {

EvaluationRecord MakeRecord(float logit, const char* predictions) {
  EvaluationRecord record;
  record.logits.assign(20, logit);
  record.predictions = predictions;
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
  outputs.Write(0, MakeRecord(0.5F, "37"));
  outputs.Commit();
  CHECK(Contains(folder.Read("l.npy"), "'descr': '<f4'"));
  CHECK(Contains(folder.Read("l.npy"), "'shape': (2, 10)"));
  CHECK(Contains(folder.Read("p.npy"), "'descr': '|u1'"));
  CHECK(Contains(folder.Read("p.npy"), "'shape': (2,)"));
  CHECK(folder.Read("p.npy").ends_with("\n\x03\x07"));
}

TEST_CASE("several models lie in the order given, and an unusable one is NaN and 255") {
  const TemporaryFolder folder;
  Outputs outputs(folder.File("l.npy"), folder.File("p.npy"), 3, 2);
  outputs.Write(2, MakeRecord(2.5F, "98"));
  outputs.WriteUnusable(1);
  outputs.Write(0, MakeRecord(0.5F, "37"));
  outputs.Commit();
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
  outputs.Write(0, MakeRecord(0.5F, "37"));
  outputs.WriteUnusable(0);
  outputs.Commit();
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}
