#include "bnbench/ensemble/ensemble.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "bnbench/ensemble/dispatch.h"
#include "bnbench/ensemble/inputs.h"
#include "bnbench/ensemble/trial.h"
#include "bnbench/errors.h"

namespace bnbench {
namespace {

constexpr std::chrono::milliseconds kTickInterval{50};

// What the trials read of the data.
struct Tables {
  explicit Tables(const TrainingData& data)
      : train(data.train, data.shape, "training set"), test(data.test, data.shape, "test set") {
    if (train.holds_bytes() != test.holds_bytes()) {
      throw DataError(
          "test set",
          train.holds_bytes() ? "bytes, as in the training set" : "floats, as in the training set",
          test.holds_bytes() ? "bytes" : "floats");
    }
  }

  InputTable train;
  InputTable test;
};

// What a worker tells the calling thread: an epoch has ended, or else the trial has.
struct Event {
  std::size_t trial;
  std::optional<EpochResult> epoch;
};

class EventQueue {
 public:
  void Push(Event event) {
    {
      const std::scoped_lock lock(mutex_);
      events_.push_back(event);
    }
    ready_.notify_one();
  }

  // Lets Pop throw what a worker could not deal with.
  void Fail(std::exception_ptr failure) {
    {
      const std::scoped_lock lock(mutex_);
      failure_ = std::move(failure);
    }
    ready_.notify_one();
  }

  // Waits for at most kTickInterval.
  std::optional<Event> Pop() {
    std::unique_lock lock(mutex_);
    const auto is_ready = [&] { return failure_ || !events_.empty(); };
    if (!ready_.wait_for(lock, kTickInterval, is_ready)) return {};
    if (failure_) std::rethrow_exception(failure_);
    const Event event = events_.front();
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Event> events_;
  std::exception_ptr failure_;
};

// Threads that take trials from a queue, each training one at a time with nothing shared.
class Workers {
 public:
  Workers(const SharedTraining<float>& shared, std::span<const TrialInput> trials,
          std::size_t num_threads, std::atomic<bool>& stop, EventQueue& events,
          std::vector<TrialResult>& results)
      : shared_(shared), trials_(trials), stop_(stop), events_(events), results_(results) {
    const std::size_t num_workers = std::min(num_threads, trials.size());
    threads_.reserve(num_workers);
    for (std::size_t i = 0; i < num_workers; ++i) {
      try {
        threads_.emplace_back([this] { Work(); });
      } catch (...) {
        if (threads_.empty()) throw;
        break;  // the machine has no more threads or memory to give; fewer take longer
      }
    }
  }

  // Whatever ends the calling thread's interest ends the threads.
  ~Workers() {
    if (num_finished_.load() < trials_.size()) stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
  }

  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

 private:
  void Work() {
    try {
      for (std::size_t trial = next_.fetch_add(1); trial < trials_.size();
           trial = next_.fetch_add(1)) {
        results_[trial] = TrainTrial<float>(shared_, trials_[trial], [&](const EpochResult& epoch) {
          events_.Push({trial, epoch});
        });
        num_finished_.fetch_add(1);
        events_.Push({trial, std::nullopt});
      }
    } catch (...) {
      // Such as too little memory to say that a trial has ended.
      events_.Fail(std::current_exception());
    }
  }

  const SharedTraining<float>& shared_;
  std::span<const TrialInput> trials_;
  std::atomic<bool>& stop_;
  EventQueue& events_;
  std::vector<TrialResult>& results_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> num_finished_{0};
  std::vector<std::thread> threads_;
};

}  // namespace

void TrainEnsemble(const TrainingData& data, std::span<const TrialInput> trials,
                   const EnsembleOptions& options, std::atomic<bool>& stop) {
  if (options.threads < 1) throw UsageError("threads", "at least 1", "0");
  const KernelTable<float>& kernels = FindKernels<float>(options.instruction_set);
  const Tables tables(data);
  const SharedTraining<float> shared{tables.train, tables.test, kernels, stop};

  std::vector<TrialResult> results(trials.size());
  EventQueue events;
  std::size_t num_unfinished = trials.size();
  const Workers workers(shared, trials, options.threads, stop, events, results);
  while (num_unfinished > 0) {
    const std::optional<Event> event = events.Pop();
    if (options.on_tick) options.on_tick();
    if (!event) continue;
    if (event->epoch) {
      if (options.on_epoch) options.on_epoch(event->trial, *event->epoch);
    } else {
      --num_unfinished;
      TrialResult result = std::move(results[event->trial]);
      if (options.on_trial) options.on_trial(event->trial, std::move(result));
    }
  }
}

BasicTrialResult<double> TrainInBinary64(const TrainingData& data,
                                         const BasicTrialInput<double>& trial,
                                         std::string_view instruction_set) {
  const Tables tables(data);
  const std::atomic<bool> stop{false};
  return TrainTrial<double>({tables.train, tables.test, FindKernels<double>(instruction_set), stop},
                            trial, [](const EpochResult&) {});
}

}  // namespace bnbench
