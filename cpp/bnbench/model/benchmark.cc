#include "bnbench/model/benchmark.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bnbench {
namespace {

// The largest number k for which the k-th smallest and the k-th largest of `count` times hold the
// median with probability 0.95 or more: at most 2.5 % of coin tosses give fewer than k heads.
std::size_t FindRank(std::size_t count) {
  const auto n = static_cast<double>(count);
  double cumulated = 0;
  std::size_t rank = 0;
  for (std::size_t k = 0; 2 * k < count; ++k) {
    const auto x = static_cast<double>(k);
    cumulated += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) -
                          n * std::log(2.0));
    if (cumulated > 0.025) break;
    rank = k + 1;
  }
  return rank;
}

}  // namespace

BenchmarkRecord Summarize(std::vector<double> seconds) {
  std::ranges::sort(seconds);
  const std::size_t count = seconds.size();
  const std::size_t rank = std::max<std::size_t>(FindRank(count), 1);
  BenchmarkRecord record;
  record.repeats = count;
  record.median = (seconds[(count - 1) / 2] + seconds[count / 2]) / 2;
  record.low = seconds[rank - 1];
  record.high = seconds[count - rank];
  record.is_narrow = std::max(record.high - record.median, record.median - record.low) <=
                     kNarrowShare * record.median;
  return record;
}

BenchmarkRecord RunBenchmark(const std::function<double()>& run, double limit_seconds) {
  std::vector<double> seconds;
  double total = 0;
  std::size_t next_look = kMinRepeats;
  while (true) {
    seconds.push_back(run());
    total += seconds.back();
    const bool is_over = total >= limit_seconds && seconds.size() >= kMinRepeats;
    if (seconds.size() < next_look && !is_over) continue;
    const BenchmarkRecord record = Summarize(seconds);
    if (record.is_narrow || is_over) return record;
    next_look = seconds.size() + std::max<std::size_t>(seconds.size() / 10, 1);
  }
}

}  // namespace bnbench
