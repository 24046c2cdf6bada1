#include "bnbench/model/neighbors.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::FindNeighborFault;
using bnbench::NeighborFault;
using bnbench::OutputKind;
using bnbench::Scores;
using bnbench::testing::Contains;
using Kind = NeighborFault::Kind;

namespace {

constexpr double kFloat32 = 0x1p-23;
constexpr double kBfloat16 = 0x1p-7;

// A hundred inputs; input i has the scores i + 1 and -i, of which `change` is made by its batch.
template <class Change>
NeighborFault Find(const Change& change, double epsilon = kFloat32) {
  const auto score = [&](std::size_t input, std::size_t batch) {
    const auto x = static_cast<float>(input);
    return std::vector<float>{change(x + 1, batch), change(-x, batch)};
  };
  Scores all{OutputKind::kLogits, 2, {}};
  for (std::size_t i = 0; i < 100; ++i) {
    for (const float x : score(i, 100)) all.values.push_back(x);
  }
  return FindNeighborFault(all, epsilon, [&](std::span<const std::size_t> inputs) {
    std::vector<float> scores;
    for (const std::size_t input : inputs) {
      for (const float x : score(input, inputs.size())) scores.push_back(x);
    }
    return scores;
  });
}

}  // namespace

TEST_CASE("a model that looks at one input at a time has no fault") {
  CHECK(Find([](float x, std::size_t) { return x; }).kind == Kind::kNone);
}

TEST_CASE("what rounding in another batch size can do is no fault") {
  // The largest score of the sample, inputs 0, 25, 50 and 75, is 76.
  const auto apart = [](float by) {
    return [by](float x, std::size_t batch) { return batch == 1 ? x + by : x; };
  };
  CHECK(Find(apart(0.0075F)).kind == Kind::kNone);
  CHECK(Find(apart(0.0077F)).kind == Kind::kDependsOnBatch);
  CHECK(Find(apart(18), kBfloat16).kind == Kind::kNone);
  CHECK(Find(apart(20), kBfloat16).kind == Kind::kDependsOnBatch);
}

TEST_CASE("scores of another batch size or company are named with how far they are apart") {
  const NeighborFault alone = Find([](float x, std::size_t n) { return n == 1 ? x + 1 : x; });
  CHECK(alone.text ==
        "depends on the batch: expected the same scores in any batch, with a difference of at most "
        "0.0076, got a difference of 1 when an input is alone; call eval() before exporting");
  const NeighborFault company = Find([](float x, std::size_t n) { return n == 8 ? x + 2 : x; });
  CHECK(company.kind == Kind::kDependsOnBatch);
  CHECK(Contains(company.text, "got a difference of 2 in other company"));
}

TEST_CASE("scores that differ from run to run are named as that") {
  int run = 0;
  const NeighborFault fault =
      Find([&](float x, std::size_t) { return x + static_cast<float>(++run); });
  CHECK(fault.kind == Kind::kNotDeterministic);
  CHECK(Contains(fault.text, "is not deterministic: expected the same scores twice for the same "));
}

TEST_CASE("a model that does not run on one input depends on the batch") {
  const NeighborFault fault = Find([](float x, std::size_t batch) {
    if (batch == 1) throw bnbench::ModelError("m.pt", "to run", "a fixed batch size");
    return x;
  });
  CHECK(fault.kind == Kind::kDependsOnBatch);
  CHECK(Contains(fault.text, "expected to run on one input alone, got m.pt: expected to run"));
}

TEST_CASE("a single input is enough, and it is its own company") {
  const Scores one{OutputKind::kLogits, 1, {3}};
  CHECK(FindNeighborFault(one, kFloat32, [](std::span<const std::size_t> inputs) {
          return std::vector<float>(inputs.size(), 3);
        }).kind == Kind::kNone);
}

TEST_CASE("a few labels may be other ones in another batch, a quarter may not") {
  const auto find = [](std::size_t differing) {
    const Scores all{OutputKind::kLabels, 1, std::vector<float>(32, 1)};
    return FindNeighborFault(all, kFloat32, [&](std::span<const std::size_t> inputs) {
      std::vector<float> labels;
      for (const std::size_t input : inputs) labels.push_back(input < differing ? 2 : 1);
      return labels;
    });
  };
  CHECK(find(0).kind == Kind::kNone);
  CHECK(find(8).kind == Kind::kNone);
  CHECK(find(9).kind == Kind::kDependsOnBatch);
  CHECK(
      Contains(find(16).text, "at most 25 % of other labels, got 50 % of the labels that differ"));
}

TEST_CASE("a label that is another one the second time is a fault") {
  int run = 0;
  const Scores all{OutputKind::kLabels, 1, std::vector<float>(32, 1)};
  const NeighborFault fault =
      FindNeighborFault(all, kFloat32, [&](std::span<const std::size_t> inputs) {
        std::vector<float> labels(inputs.size(), 1);
        labels.back() += static_cast<float>(run++ % 2);
        return labels;
      });
  CHECK(fault.kind == Kind::kNotDeterministic);
}
