// Training when memory runs out at any allocation of a worker.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <span>
#include <vector>

#include "bnbench/ensemble/ensemble.h"

namespace {

// How many more allocations of workers succeed before one fails, or all do.
constexpr long kAll = 1'000'000'000;
std::atomic<long> allocations_left{kAll};
std::atomic<bool> fails_once{false};
thread_local bool is_worker = true;

bool Fails() {
  if (!is_worker || allocations_left.load() >= kAll) return false;
  const long left = --allocations_left;
  return fails_once ? left == -1 : left < 0;
}

}  // namespace

// These take the place of the standard library's in this program, and in LibTorch with it. Inlined
// in one place and not in another, they look mismatched to GCC.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return Fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace bnbench {
namespace {

struct Outcome {
  std::size_t num_completed = 0;
  std::size_t num_failed = 0;
  bool has_thrown = false;
  bool was_enough = false;
};

Outcome TrainWithAllocations(long allowed, std::span<const TrialInput> trials,
                             const LabeledInputs& images) {
  Outcome outcome;
  EnsembleOptions options;
  options.on_trial = [&](std::size_t, const TrialResult& result) {
    ++(result.status == TrialStatus::kCompleted ? outcome.num_completed : outcome.num_failed);
  };
  std::atomic<bool> stop{false};
  allocations_left = allowed;
  try {
    TrainEnsemble({images, images, {784, 10}}, trials, options, stop);
  } catch (const std::bad_alloc&) {
    outcome.has_thrown = true;
  }
  outcome.was_enough = allocations_left >= 0;
  allocations_left = kAll;
  return outcome;
}

TEST_CASE("memory that runs out at any allocation of a worker ends no process") {
  const std::vector<std::uint8_t> pixels(std::size_t{4} * 784, 1);
  const std::vector<std::int64_t> labels(4, 0);
  // The state of PyTorch's CPU generator: seeded, one word left, all words zero.
  std::vector<std::uint8_t> state(5056, 0);
  state[8] = state[12] = 1;
  const std::vector<float> parameters(7850, 0);
  const std::vector<double> learning_rates = {0.01};
  // More events than fit into the first block of their queue.
  const std::vector<TrialInput> trials(4, {{{}, Normalization::kNone, Activation::kRelu},
                                           {.epochs = 4, .batch_size = 2},
                                           learning_rates,
                                           parameters,
                                           state});
  is_worker = false;
  for (const bool once : {false, true}) {
    CAPTURE(once);
    fails_once = once;
    std::size_t num_failed = 0;
    std::size_t num_thrown = 0;
    Outcome outcome;
    for (long allowed = 0; allowed < 10'000 && !outcome.was_enough; ++allowed) {
      outcome = TrainWithAllocations(allowed, trials, {pixels, labels});
      num_failed += outcome.num_failed;
      num_thrown += outcome.has_thrown ? 1 : 0;
      // Either all trials have ended, or the caller knows that memory is gone.
      if (!outcome.has_thrown) CHECK(outcome.num_completed + outcome.num_failed == trials.size());
    }
    CHECK(outcome.was_enough);
    CHECK(outcome.num_completed == trials.size());
    CHECK((once ? num_failed : num_thrown) > 0);
  }
  is_worker = true;
}

}  // namespace
}  // namespace bnbench
