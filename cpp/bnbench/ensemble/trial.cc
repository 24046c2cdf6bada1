#include "bnbench/ensemble/trial.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "bnbench/ensemble/network.h"
#include "bnbench/ensemble/order.h"
#include "bnbench/errors.h"

namespace bnbench {
namespace {

// Rows at a time where nothing but memory depends on it.
constexpr std::size_t kEvaluationRows = kGroupRows;

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string DescribeLoss(const char* name, double loss, std::size_t epoch) {
  const char* value = std::isnan(loss) ? "nan" : loss > 0 ? "inf" : "-inf";
  return std::string("diverged: ") + name + " is " + value + " in epoch " + std::to_string(epoch);
}

// Calls body(images of the batch, images of the one after) for consecutive batches of `images`,
// until it returns false.
template <class Body>
void ForEachBatch(const ImageTable& table, std::span<const std::uint32_t> images,
                  std::size_t batch_size, const Body& body) {
  for (std::size_t first = 0; first < images.size(); first += batch_size) {
    const auto batch = images.subspan(first, std::min(batch_size, images.size() - first));
    const auto rest = images.subspan(first + batch.size());
    const UpcomingImages upcoming{&table, rest.first(std::min(batch_size, rest.size()))};
    if (!body(batch, upcoming)) return;
  }
}

// A trial under way.
class Training {
 public:
  Training(const SharedTraining& shared, const TrialInput& input)
      : shared_(shared),
        recipe_(input.recipe),
        max_rows_(std::max(kEvaluationRows, std::min(recipe_.batch_size, shared.train.size()))),
        order_source_(input.random_state),
        network_(input.network, shared.kernels, max_rows_, recipe_.momentum != 0),
        batch_(max_rows_) {
    network_.Load(input.parameters);
  }

  // Returns false if it was stopped.
  bool TrainEpoch(EpochResult* result) {
    const Stopwatch stopwatch;
    const SgdStep<float> step{static_cast<float>(recipe_.learning_rate),
                              static_cast<float>(recipe_.momentum),
                              static_cast<float>(recipe_.weight_decay)};
    shared_.train.SortBatches(order_source_.DrawEpoch(shared_.train.size()), recipe_.batch_size,
                              &order_);
    double loss = 0;
    bool is_stopped = false;
    ForEachBatch(shared_.train, order_, recipe_.batch_size,
                 [&](std::span<const std::uint32_t> images, const UpcomingImages& upcoming) {
                   is_stopped = shared_.stop.load(std::memory_order_relaxed);
                   if (is_stopped) return false;
                   batch_.Gather(shared_.train, images);
                   upcoming.Prefetch();
                   loss += network_.Train(batch_, step);
                   return std::isfinite(loss);
                 });
    result->train_loss = loss / static_cast<double>(shared_.train.size());
    result->train_seconds = stopwatch.Seconds();
    return !is_stopped;
  }

  bool EvaluateEpoch(EpochResult* result) {
    const Stopwatch stopwatch;
    order_source_.DrawEvaluation();
    EvaluationSums total;
    bool is_stopped = false;
    ForEachBatch(shared_.test, shared_.test.similarity_order(), kEvaluationRows,
                 [&](std::span<const std::uint32_t> images, const UpcomingImages& upcoming) {
                   is_stopped = shared_.stop.load(std::memory_order_relaxed);
                   if (is_stopped) return false;
                   batch_.Gather(shared_.test, images);
                   upcoming.Prefetch();
                   const EvaluationSums sums = network_.Evaluate(batch_);
                   total.loss += sums.loss;
                   total.correct += sums.correct;
                   return true;
                 });
    const auto count = static_cast<double>(shared_.test.size());
    result->test_loss = total.loss / count;
    result->test_accuracy = static_cast<double>(total.correct) / count;
    result->eval_seconds = stopwatch.Seconds();
    return !is_stopped;
  }

  void Save(std::span<float> parameters) const { network_.Save(parameters); }

 private:
  const SharedTraining& shared_;
  const TrainingRecipe& recipe_;
  std::size_t max_rows_;
  OrderSource order_source_;
  Network<float> network_;
  Batch batch_;
  std::vector<std::uint32_t> order_;
};

TrialResult Fail(TrialResult result, std::string reason) {
  result.status = TrialStatus::kFailed;
  result.reason = std::move(reason);
  result.parameters = std::vector<float>();
  return result;
}

// The error text of a trial that cannot be trained on `num_images` images; empty if it can.
std::string FindProblem(const TrialInput& input, std::size_t num_images) {
  const TrainingRecipe& recipe = input.recipe;
  if (recipe.epochs < 1) return ComposeError("epochs", "at least 1", "0");
  if (recipe.batch_size < 1) return ComposeError("batch_size", "at least 1", "0");
  for (const std::size_t units : input.network.hidden_sizes) {
    if (units < 1) return ComposeError("hidden_sizes", "at least 1 each", "0");
  }
  const std::size_t count = CountParameters(input.network);
  if (input.parameters.size() != count) {
    return ComposeError("parameters", "the " + std::to_string(count) + " values of the network",
                        std::to_string(input.parameters.size()));
  }
  const bool is_normalized =
      input.network.normalization == Normalization::kBatch && !input.network.hidden_sizes.empty();
  const std::size_t last_rows = num_images % recipe.batch_size;
  if (is_normalized && (recipe.batch_size == 1 || last_rows == 1)) {
    return ComposeError("batch_size", "at least two images in each batch for batch normalization",
                        std::to_string(num_images) + " images in batches of " +
                            std::to_string(recipe.batch_size) + ", one with a single image");
  }
  return {};
}

}  // namespace

TrialResult TrainTrial(const SharedTraining& shared, const TrialInput& input,
                       const std::function<void(const EpochResult&)>& on_epoch) {
  TrialResult result;
  try {
    std::string problem = FindProblem(input, shared.train.size());
    if (!problem.empty()) return Fail(std::move(result), std::move(problem));
    // Ahead of all that is freed again after the trial, so that a thousand results lie side by side
    // in memory and not each behind a hole.
    result.parameters.reserve(input.parameters.size());
    Training training(shared, input);
    for (std::size_t number = 1; number <= input.recipe.epochs; ++number) {
      EpochResult epoch;
      if (!training.TrainEpoch(&epoch)) return result;
      if (!std::isfinite(epoch.train_loss)) {
        return Fail(std::move(result), DescribeLoss("training loss", epoch.train_loss, number));
      }
      if (!training.EvaluateEpoch(&epoch)) return result;
      if (!std::isfinite(epoch.test_loss)) {
        return Fail(std::move(result), DescribeLoss("test loss", epoch.test_loss, number));
      }
      result.epochs.push_back(epoch);
      on_epoch(epoch);
    }
    result.parameters.resize(input.parameters.size());
    training.Save(result.parameters);
    result.status = TrialStatus::kCompleted;
    return result;
  } catch (const std::bad_alloc&) {
    return Fail(std::move(result), ComposeError("memory", "enough for the trial", "too little"));
  } catch (const std::exception& error) {
    return Fail(std::move(result), error.what());
  } catch (...) {
    return Fail(std::move(result), "an exception of unknown type");
  }
}

}  // namespace bnbench
