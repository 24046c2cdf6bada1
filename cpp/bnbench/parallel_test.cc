#include "bnbench/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

using bnbench::ForEachInParallel;

TEST_CASE("every index is visited once, whatever the number of threads") {
  for (const int threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> visits(100);
    std::atomic<int> prepared = 0;
    ForEachInParallel(
        100, threads, [&] { ++prepared; }, [&](std::size_t i) { ++visits[i]; });
    for (const std::atomic<int>& count : visits) CHECK(count == 1);
    CHECK(prepared == threads);
  }
}

TEST_CASE("without work nothing is called") {
  ForEachInParallel(
      0, 3, [] {}, [](std::size_t) { FAIL("called"); });
}

TEST_CASE("what a thread throws is thrown to the caller, and ends the work") {
  std::atomic<int> calls = 0;
  const auto body = [&](std::size_t i) {
    ++calls;
    if (i == 3) throw std::runtime_error("so it is");
  };
  CHECK_THROWS_WITH(ForEachInParallel(
                        1'000'000, 2, [] {}, body),
                    "so it is");
  CHECK(calls < 1'000'000);
}

TEST_CASE("there is at least one processor") { CHECK(bnbench::NumProcessors() >= 1); }
