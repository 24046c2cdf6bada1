// Training many networks at once on the CPU: the native engine.
//
// A trial is one network with its own initial weights, recipe and random state. Trials share the
// data and nothing else, so the result of a trial is the same, bit for bit, whether it is trained
// alone or among a thousand, and on how many threads. It does depend on the instruction set, whose
// vectors decide in which order sums are rounded.
#ifndef BNBENCH_ENSEMBLE_ENSEMBLE_H_
#define BNBENCH_ENSEMBLE_ENSEMBLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bnbench/ensemble/layout.h"

namespace bnbench {

// The hidden layers, then a linear layer to the classes. A hidden layer is a linear layer, its
// normalization, activation and dropout. The normalization may come after the activation.
struct NetworkShape {
  std::vector<std::size_t> hidden_sizes;
  Normalization normalization = Normalization::kNone;
  Activation activation = Activation::kRelu;
  Placement placement = Placement::kBeforeActivation;
  double dropout = 0;        // share of the outputs that each step sets to 0, in [0, 1)
  bool is_residual = false;  // hidden layers but the first add their inputs, cut or padded with 0
};

// How a trial is trained: by torch.optim's SGD (dampening 0), Adam or AdamW, with weight decay for
// every parameter, on the mean cross-entropy.
struct TrainingRecipe {
  std::size_t epochs = 1;
  std::size_t batch_size = 64;
  Optimizer optimizer = Optimizer::kSgd;
  double momentum = 0;  // of SGD
  bool is_nesterov = false;
  double beta1 = 0.9;  // of Adam
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool drops_last = false;     // leaves out the last batch of an epoch if that is smaller
  double label_smoothing = 0;  // share of each training label spread over all classes
  // What batch normalization is evaluated with: the running statistics, or those of a pass over the
  // training inputs after each epoch.
  EvaluationStatistics evaluation_statistics = EvaluationStatistics::kRunning;
  // Weights that are evaluated and kept: the last ones, their exponential moving average over the
  // steps, or their mean over the steps of the last epoch.
  WeightAveraging weight_averaging = WeightAveraging::kNone;
  double averaging_decay = 0.999;
};

// One trial as asked for. The spans must stay valid until the call returns.
template <class T>
struct BasicTrialInput {
  NetworkShape network;
  TrainingRecipe recipe;
  // The learning rate of each step; or only one, which is that of all steps.
  std::span<const double> learning_rates;
  // The initial weights, layer by layer: weight (outputs, inputs) row-major, bias; then those of a
  // hidden layer's normalization: weight, bias, running mean, running variance, as far as it has
  // them. This is the order of PyTorch's state_dict, without num_batches_tracked.
  std::span<const T> parameters;
  // The bytes of PyTorch's CPU generator, from which the order of the batches is drawn as a
  // DataLoader with shuffle=True would, in turn with one that does not shuffle the test inputs.
  // Dropout draws from it as well.
  std::span<const std::uint8_t> random_state;
};
using TrialInput = BasicTrialInput<float>;

// Inputs, flattened, one after another, and as many labels, from 0 on. Bytes stand for 255 steps
// from 0 to 1.
struct LabeledInputs {
  std::variant<std::span<const std::uint8_t>, std::span<const float>> inputs;
  std::span<const std::int64_t> labels;
};

// What all trials are trained and evaluated on; inputs of both are bytes, or of both floats.
struct TrainingData {
  LabeledInputs train;
  LabeledInputs test;
  DataShape shape;
};

struct EpochResult {
  double train_loss = 0;     // mean over the inputs, each at the weights its batch met
  double test_loss = 0;      // mean over the test inputs after the epoch
  double test_accuracy = 0;  // fraction
  double train_seconds = 0;  // wall-clock, the batches and their order
  double eval_seconds = 0;   // wall-clock, the test inputs
};

enum class TrialStatus { kCompleted, kFailed, kStopped };

template <class T>
struct BasicTrialResult {
  TrialStatus status = TrialStatus::kStopped;
  std::string reason;               // why it failed; empty otherwise
  std::vector<EpochResult> epochs;  // those that ended before it completed, failed or was stopped
  std::vector<T> parameters;        // after the last epoch, as TrialInput; of completed trials only
};
using TrialResult = BasicTrialResult<float>;

struct EnsembleOptions {
  std::size_t threads = 1;
  // "avx512", "avx2" or "portable"; empty takes the widest this processor has.
  std::string instruction_set;
  // All three are called by the calling thread, one at a time. What they throw stops the training
  // and is thrown on. A result is given to `on_trial` and kept nowhere else.
  std::function<void(std::size_t trial, const EpochResult&)> on_epoch;
  std::function<void(std::size_t trial, TrialResult)> on_trial;
  std::function<void()> on_tick;  // at least ten times a second
};

// Trains every trial. A trial that cannot be trained, diverges or throws has failed, and the others
// go on. When `stop` becomes true the trials end within a batch or two as kStopped.
// Throws DataError if the inputs or labels make no sense, UsageError if the options do not.
void TrainEnsemble(const TrainingData& data, std::span<const TrialInput> trials,
                   const EnsembleOptions& options, std::atomic<bool>& stop);

// Number of values in TrialInput::parameters for a network.
std::size_t CountParameters(const NetworkShape& network, const DataShape& data);

// How an instruction set computes, for the record: its name, and whether it rounds a product before
// it adds it, which decides the bits as much. An empty name stands for the widest.
std::string DescribeArithmetic(std::string_view instruction_set = {});

// Instruction sets of the engine that this processor has, the widest first.
std::vector<std::string> SupportedInstructionSets();

// Trains one trial in binary64, by the code that trains in binary32. This is slow, and shows what
// that code computes but for rounding.
// Throws as TrainEnsemble does.
BasicTrialResult<double> TrainInBinary64(const TrainingData& data,
                                         const BasicTrialInput<double>& trial,
                                         std::string_view instruction_set = {});

// The orders in which `epochs` epochs see `num_inputs` inputs, one after another, starting from
// `random_state`; and the state afterwards.
struct BatchOrders {
  std::vector<std::int64_t> indices;
  std::vector<std::uint8_t> random_state;
};
BatchOrders DrawBatchOrders(std::span<const std::uint8_t> random_state, std::size_t num_inputs,
                            std::size_t epochs);

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_ENSEMBLE_H_
