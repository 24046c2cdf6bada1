#include "bnbench/ensemble/trial.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <new>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bnbench/checked.h"
#include "bnbench/ensemble/network.h"
#include "bnbench/ensemble/optimizer.h"
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

// Inputs that an epoch trains on, and its steps.
struct EpochSize {
  std::size_t inputs = 0;
  std::size_t steps = 0;
};

EpochSize FindEpochSize(const TrainingRecipe& recipe, std::size_t num_inputs) {
  const std::size_t full_batches = num_inputs / recipe.batch_size;
  const std::size_t full_inputs = full_batches * recipe.batch_size;
  if (recipe.drops_last || full_inputs == num_inputs) return {full_inputs, full_batches};
  return {num_inputs, full_batches + 1};
}

// Calls body(batch, inputs of the one after) for consecutive batches of `inputs`, until it returns
// false.
template <class Body>
void ForEachBatch(const InputTable& table, std::span<const std::uint32_t> inputs,
                  std::size_t batch_size, const Body& body) {
  for (std::size_t first = 0; first < inputs.size(); first += batch_size) {
    const auto batch = inputs.subspan(first, std::min(batch_size, inputs.size() - first));
    const auto rest = inputs.subspan(first + batch.size());
    const UpcomingInputs upcoming{&table, rest.first(std::min(batch_size, rest.size()))};
    if (!body(batch, upcoming)) return;
  }
}

// A trial under way.
template <class T>
class Training {
 public:
  Training(const SharedTraining<T>& shared, const BasicTrialInput<T>& input)
      : shared_(shared),
        recipe_(input.recipe),
        learning_rates_(input.learning_rates),
        has_dropout_(input.network.dropout > 0),
        epoch_(FindEpochSize(recipe_, shared.train.size())),
        max_rows_(std::max(kEvaluationRows, std::min(recipe_.batch_size, shared.train.size()))),
        order_source_(input.random_state),
        network_(input.network, shared.train.shape(), recipe_, shared.kernels, max_rows_),
        batch_(shared.train, max_rows_) {
    network_.Load(input.parameters);
  }

  // Returns false if it was stopped.
  bool TrainEpoch(EpochResult* result) {
    const Stopwatch stopwatch;
    double loss = 0;
    SortBatches(order_source_.DrawEpoch(shared_.train.size()));
    std::size_t step = 0;
    const auto train = [&](std::span<const std::uint32_t> inputs) {
      if (has_dropout_) {
        network_.DrawMasks(order_source_,
                           std::span(rows_).subspan(step * recipe_.batch_size, inputs.size()));
      }
      loss += network_.Train(batch_, MakeNextStep());
      Average(++step);
      return std::isfinite(loss);
    };
    if (!ForEachTrainingBatch(train)) return false;
    if (network_.finds_statistics() && std::isfinite(loss) && !FindStatistics()) return false;
    result->train_loss = loss / static_cast<double>(epoch_.inputs);
    result->train_seconds = stopwatch.Seconds();
    return true;
  }

  bool EvaluateEpoch(EpochResult* result) {
    const Stopwatch stopwatch;
    order_source_.DrawEvaluation();
    EvaluationSums total;
    const auto evaluate = [&](std::span<const std::uint32_t>) {
      const EvaluationSums sums = network_.Evaluate(batch_);
      total.loss += sums.loss;
      total.correct += sums.correct;
      return true;
    };
    const bool is_whole =
        ForEachGathered(shared_.test, shared_.test.similarity_order(), kEvaluationRows, evaluate);
    const auto count = static_cast<double>(shared_.test.size());
    result->test_loss = total.loss / count;
    result->test_accuracy = static_cast<double>(total.correct) / count;
    result->eval_seconds = stopwatch.Seconds();
    return is_whole;
  }

  void Save(std::span<T> parameters) const { network_.Save(parameters); }

 private:
  void SortBatches(std::span<const std::int64_t> order) {
    shared_.train.SortBatches(order, recipe_.batch_size, &order_, &rows_);
  }

  // Calls body(inputs) with each batch of `inputs` in batch_, until it returns false. Returns false
  // if the trial was stopped.
  template <class Body>
  bool ForEachGathered(const InputTable& table, std::span<const std::uint32_t> inputs,
                       std::size_t batch_size, const Body& body) {
    bool is_stopped = false;
    ForEachBatch(table, inputs, batch_size,
                 [&](std::span<const std::uint32_t> batch, const UpcomingInputs& upcoming) {
                   is_stopped = shared_.stop.load(std::memory_order_relaxed);
                   if (is_stopped) return false;
                   batch_.Gather(table, batch);
                   upcoming.Prefetch();
                   return body(batch);
                 });
    return !is_stopped;
  }

  template <class Body>
  bool ForEachTrainingBatch(const Body& body) {
    return ForEachGathered(shared_.train, std::span(order_).first(epoch_.inputs),
                           recipe_.batch_size, body);
  }

  Step<T> MakeNextStep() {
    const double rate = learning_rates_[learning_rates_.size() == 1 ? 0 : num_steps_];
    return MakeStep<T>(recipe_, rate, ++num_steps_);
  }

  // Takes the weights after an epoch's step `step`, from 1 on, into their average.
  void Average(std::size_t step) {
    switch (recipe_.weight_averaging) {
      case WeightAveraging::kNone:
        return;
      case WeightAveraging::kEma:
        return network_.Average(static_cast<T>(1 - recipe_.averaging_decay));
      case WeightAveraging::kLastEpoch:
        return network_.Average(T{1} / static_cast<T>(step));
    }
  }

  // A pass over the training inputs in the order of their file.
  bool FindStatistics() {
    if (recipe_.weight_averaging == WeightAveraging::kNone) network_.Average(T{1});
    std::vector<std::int64_t> file_order(shared_.train.size());
    std::iota(file_order.begin(), file_order.end(), std::int64_t{0});
    SortBatches(file_order);
    network_.BeginStatistics();
    const auto collect = [&](std::span<const std::uint32_t>) {
      network_.AddStatistics(batch_);
      return true;
    };
    if (!ForEachTrainingBatch(collect)) return false;
    network_.EndStatistics();
    return true;
  }

  const SharedTraining<T>& shared_;
  const TrainingRecipe& recipe_;
  std::span<const double> learning_rates_;
  bool has_dropout_;
  EpochSize epoch_;
  std::size_t max_rows_;
  OrderSource order_source_;
  Network<T> network_;
  Batch<T> batch_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> rows_;  // in the loader's batches
  std::size_t num_steps_ = 0;
};

template <class T>
BasicTrialResult<T> Fail(BasicTrialResult<T> result, std::string reason) {
  result.status = TrialStatus::kFailed;
  result.reason = std::move(reason);
  result.parameters = std::vector<T>();
  return result;
}

// The error text of a recipe for `num_inputs` inputs; empty if they can be trained on by it.
std::string FindProblem(const TrainingRecipe& recipe, std::size_t num_rates,
                        std::size_t num_inputs) {
  if (recipe.epochs < 1) return ComposeError("epochs", "at least 1", "0");
  if (recipe.batch_size < 1) return ComposeError("batch_size", "at least 1", "0");
  const std::size_t steps_per_epoch = FindEpochSize(recipe, num_inputs).steps;
  if (steps_per_epoch == 0) {
    return ComposeError("batch_size",
                        "at most the " + std::to_string(num_inputs) +
                            " training inputs where the last batch is left out",
                        std::to_string(recipe.batch_size));
  }
  const std::size_t steps = Multiply(recipe.epochs, steps_per_epoch);
  if (num_rates != 1 && num_rates != steps) {
    return ComposeError("learning_rates",
                        "one, or one for each of " + std::to_string(steps) + " steps",
                        std::to_string(num_rates));
  }
  return {};
}

// The error text of a trial that cannot be trained on the inputs; empty if it can.
template <class T>
std::string FindProblem(const BasicTrialInput<T>& input, const InputTable& train) {
  const std::size_t num_inputs = train.size();
  const NetworkShape& network = input.network;
  std::string problem = FindProblem(input.recipe, input.learning_rates.size(), num_inputs);
  if (!problem.empty()) return problem;
  for (const std::size_t units : network.hidden_sizes) {
    if (units < 1) return ComposeError("hidden_sizes", "at least 1 each", "0");
  }
  if (!(network.dropout >= 0 && network.dropout < 1)) {
    return ComposeError("dropout", "a number in [0, 1)", std::to_string(network.dropout));
  }
  const std::size_t count = CountParameters(network, train.shape());
  if (input.parameters.size() != count) {
    return ComposeError("parameters", "the " + std::to_string(count) + " values of the network",
                        std::to_string(input.parameters.size()));
  }
  const bool is_normalized =
      network.normalization == Normalization::kBatch && !network.hidden_sizes.empty();
  const std::size_t batch_size = input.recipe.batch_size;
  const std::size_t last_rows = FindEpochSize(input.recipe, num_inputs).inputs % batch_size;
  if (is_normalized && (batch_size == 1 || last_rows == 1)) {
    return ComposeError("batch_size", "at least two inputs in each batch for batch normalization",
                        std::to_string(num_inputs) + " inputs in batches of " +
                            std::to_string(batch_size) + ", one with a single input");
  }
  return {};
}

}  // namespace

template <class T>
BasicTrialResult<T> TrainTrial(const SharedTraining<T>& shared, const BasicTrialInput<T>& input,
                               const std::function<void(const EpochResult&)>& on_epoch) {
  BasicTrialResult<T> result;
  try {
    std::string problem = FindProblem(input, shared.train);
    if (!problem.empty()) return Fail(std::move(result), std::move(problem));
    // Ahead of all that is freed again after the trial, so that a thousand results lie side by side
    // in memory and not each behind a hole.
    result.parameters.reserve(input.parameters.size());
    Training<T> training(shared, input);
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

template BasicTrialResult<float> TrainTrial(const SharedTraining<float>&, const TrialInput&,
                                            const std::function<void(const EpochResult&)>&);
template BasicTrialResult<double> TrainTrial(const SharedTraining<double>&,
                                             const BasicTrialInput<double>&,
                                             const std::function<void(const EpochResult&)>&);

}  // namespace bnbench
