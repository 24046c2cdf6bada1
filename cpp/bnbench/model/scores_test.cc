#include "bnbench/model/scores.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

using bnbench::EvaluationRecord;
using bnbench::OutputKind;
using bnbench::Score;
using bnbench::Scores;

namespace {

using Targets = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a prediction is the largest score, the first of equals") {
  const Scores scores = {OutputKind::kLogits, 3, {0, 2, 1, -1, -1, -2, 5, 5, 5}};
  const EvaluationRecord record = Score(scores, Targets{1, 1, 0}, 0.5);
  CHECK(record.predictions == Targets{1, 0, 0});
  CHECK(record.correct == 2);
  CHECK_FALSE(record.correct_top5.has_value());
  CHECK(record.seconds == 0.5);
}

TEST_CASE("the top five are counted with more than five classes") {
  // The classes in the order of their scores: 6, 5, 4, 3, 2, 1, 0; then all equal.
  const Scores scores = {OutputKind::kLogits, 7, {0, 1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9, 9}};
  const auto count = [&](std::int64_t first, std::int64_t second) {
    return Score(scores, Targets{first, second}, 0).correct_top5;
  };
  CHECK(count(2, 4) == 2);
  CHECK(count(1, 4) == 1);
  CHECK(count(1, 5) == 0);
  CHECK(count(6, 0) == 2);
}

TEST_CASE("labels are predictions") {
  const EvaluationRecord record = Score({OutputKind::kLabels, 1, {46, 0}}, Targets{46, 1}, 0);
  CHECK(record.predictions == Targets{46, 0});
  CHECK(record.correct == 1);
  CHECK_FALSE(record.correct_top5.has_value());
}

TEST_CASE("without targets nothing is correct or wrong") {
  const EvaluationRecord record = Score({OutputKind::kLogits, 2, {0, 1}}, {}, 0);
  CHECK(record.predictions == Targets{1});
  CHECK_FALSE(record.correct.has_value());
}
