#include "bnbench/model/benchmark.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using bnbench::BenchmarkRecord;
using bnbench::RunBenchmark;
using bnbench::Summarize;

TEST_CASE("the interval of a median is made of order statistics") {
  // Of 10 times the 2nd and the 9th: fewer than two heads of ten come with probability 11 / 1024.
  std::vector<double> seconds;
  for (int i = 10; i > 0; --i) seconds.push_back(i);
  const BenchmarkRecord record = Summarize(seconds);
  CHECK(record.repeats == 10);
  CHECK(record.median == 5.5);
  CHECK(record.low == 2);
  CHECK(record.high == 9);
  CHECK_FALSE(record.is_narrow);
  // Of 20 the 6th and the 15th.
  for (int i = 20; i > 10; --i) seconds.push_back(i);
  CHECK(Summarize(seconds).low == 6);
  CHECK(Summarize(seconds).high == 15);
  // Of 6 the first and the last: 2 / 64 lie outside.
  CHECK(Summarize({1, 2, 3, 4, 5, 6}).low == 1);
}

TEST_CASE("an interval within two percent of the median ends the benchmark") {
  std::size_t count = 0;
  const auto steady = [&] { return 1 + 0.02 * static_cast<double>(++count % 2); };
  const BenchmarkRecord record = RunBenchmark(steady, 1e9);
  CHECK(record.is_narrow);
  CHECK(record.repeats == bnbench::kMinRepeats);
}

TEST_CASE("a benchmark that stays wide ends when the time is up") {
  std::size_t count = 0;
  const auto unsteady = [&] { return static_cast<double>(1 + 2 * (++count % 2)); };
  const BenchmarkRecord record = RunBenchmark(unsteady, 100);
  CHECK_FALSE(record.is_narrow);
  CHECK(record.repeats >= 50);
  CHECK(record.repeats <= 55);
  CHECK(RunBenchmark(unsteady, 0).repeats == bnbench::kMinRepeats);
}
