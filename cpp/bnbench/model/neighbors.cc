#include "bnbench/model/neighbors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

// Each run of a small model takes a moment, so that few of the sample are run alone.
constexpr std::size_t kSampleSize = 4;
constexpr std::size_t kNumAlone = 1;
// Labels tell less than scores, so that more of them are looked at.
constexpr std::size_t kLabelSampleSize = 32;

std::string Format(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

// The sample's scores, in batches of whatever kind.
struct Sample {
  std::vector<std::size_t> inputs;
  std::size_t width;
  bool has_labels;
  double allowed = 0;  // how far two scores may be apart

  // What lies between two rows of scores: the largest difference, or the share of other labels.
  double Distance(std::span<const float> a, std::span<const float> b) const {
    double largest = 0;
    std::size_t differing = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
      differing += static_cast<std::size_t>(a[i] != b[i]);
    }
    if (!has_labels) return largest;
    return static_cast<double>(differing) / static_cast<double>(a.size());
  }

  std::string Describe(double distance) const {
    if (has_labels) return Format(100 * distance) + " % of the labels that differ";
    return "a difference of " + Format(distance);
  }
  std::string DescribeAllowed() const {
    if (has_labels) return "at most " + Format(100 * allowed) + " % of other labels";
    return "a difference of at most " + Format(allowed);
  }
};

// Scores of the sample's inputs, which stand at every second place of a batch.
std::vector<float> TakeEverySecond(std::span<const float> scores, std::size_t width) {
  std::vector<float> taken;
  for (std::size_t i = width; i + width <= scores.size(); i += 2 * width) {
    taken.insert(taken.end(), scores.begin() + static_cast<std::ptrdiff_t>(i),
                 scores.begin() + static_cast<std::ptrdiff_t>(i + width));
  }
  return taken;
}

}  // namespace

double NeighborTolerance(double epsilon) { return std::max(1e-4, 32 * epsilon); }

NeighborFault FindNeighborFault(const Scores& scores, double epsilon, const RunBatch& run) {
  using Kind = NeighborFault::Kind;
  const std::size_t count = scores.count();
  Sample sample{{}, scores.width, scores.kind == OutputKind::kLabels};
  const std::size_t size = std::min(count, sample.has_labels ? kLabelSampleSize : kSampleSize);
  for (std::size_t i = 0; i < size; ++i) sample.inputs.push_back(i * count / size);

  std::vector<float> before;
  double largest = 0;
  for (const std::size_t input : sample.inputs) {
    for (std::size_t i = 0; i < sample.width; ++i) {
      before.push_back(scores.values[input * sample.width + i]);
      largest = std::max(largest, std::abs(static_cast<double>(before.back())));
    }
  }
  sample.allowed = sample.has_labels ? 0.25 : NeighborTolerance(epsilon) * largest;

  // Each of the sample after a neighbor from elsewhere.
  std::vector<std::size_t> company;
  for (const std::size_t input : sample.inputs) {
    company.push_back((input + count / 3 + 1) % count);
    company.push_back(input);
  }
  const std::vector<float> together = TakeEverySecond(run(company), sample.width);
  const std::vector<float> again = TakeEverySecond(run(company), sample.width);
  const double moved = sample.Distance(together, again);
  if (moved > (sample.has_labels ? 0 : sample.allowed)) {
    return {
        Kind::kNotDeterministic,
        ComposeError("is not deterministic",
                     "the same scores twice for the same batch, with " + sample.DescribeAllowed(),
                     sample.Describe(moved), "call eval() before exporting")};
  }

  std::vector<float> alone;
  const std::size_t num_alone = sample.has_labels ? size : std::min(size, kNumAlone);
  for (const std::size_t input : std::span(sample.inputs).last(num_alone)) {
    std::vector<float> one;
    try {
      one = run(std::span(&input, 1));
    } catch (const Error& error) {
      return {Kind::kDependsOnBatch,
              ComposeError("depends on the batch", "to run on one input alone", error.what(),
                           "export it for any batch size")};
    }
    alone.insert(alone.end(), one.begin(), one.end());
  }
  const double by_company = sample.Distance(before, together);
  const double by_size = sample.Distance(std::span(before).last(num_alone * sample.width), alone);
  if (const double apart = std::max(by_company, by_size); apart > sample.allowed) {
    return {Kind::kDependsOnBatch,
            ComposeError("depends on the batch",
                         "the same scores in any batch, with " + sample.DescribeAllowed(),
                         sample.Describe(apart) + (by_size >= by_company ? " when an input is alone"
                                                                         : " in other company"),
                         "call eval() before exporting")};
  }
  return {};
}

}  // namespace bnbench
