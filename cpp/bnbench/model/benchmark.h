// How fast a model is, with an interval.
#ifndef BNBENCH_MODEL_BENCHMARK_H_
#define BNBENCH_MODEL_BENCHMARK_H_

#include <cstddef>
#include <functional>
#include <vector>

namespace bnbench {

// The 95 % interval of a median comes within this share of it, on both sides.
inline constexpr double kNarrowShare = 0.02;
inline constexpr std::size_t kMinRepeats = 10;

// Seconds of one run: the median of `repeats`, and its 95 % interval by order statistics, which
// assumes nothing of how the times are distributed.
struct BenchmarkRecord {
  std::size_t repeats = 0;
  double median = 0;
  double low = 0;
  double high = 0;
  bool is_narrow = false;  // else the time was up before
};

// The interval of these times, at least 6.
BenchmarkRecord Summarize(std::vector<double> seconds);

// Repeats `run`, which returns its seconds, until the interval is narrow or `limit_seconds` have
// passed; at least kMinRepeats times. Looks when there are a tenth more repeats, so that stopping
// early by luck stays rare.
BenchmarkRecord RunBenchmark(const std::function<double()>& run, double limit_seconds);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_BENCHMARK_H_
