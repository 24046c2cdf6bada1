#include "bnbench/ensemble/ensemble.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "bnbench/children.h"
#include "bnbench/ensemble/order.h"
#include "bnbench/errors.h"
#include "bnbench/sanitizers.h"

using bnbench::Activation;
using bnbench::CountParameters;
using bnbench::DataShape;
using bnbench::EnsembleOptions;
using bnbench::EpochResult;
using bnbench::LabeledInputs;
using bnbench::NetworkShape;
using bnbench::Normalization;
using bnbench::Optimizer;
using bnbench::Placement;
using bnbench::SupportedInstructionSets;
using bnbench::TrainEnsemble;
using bnbench::TrainInBinary64;
using bnbench::TrainingRecipe;
using bnbench::TrialInput;
using bnbench::TrialResult;
using bnbench::TrialStatus;
using bnbench::WeightAveraging;

namespace {

constexpr std::size_t kPixels = 784;
constexpr DataShape kShape{kPixels, 10};

// Images of ten classes that a linear layer can tell apart: each class has a bright band of rows of
// its own, on noise of which half is zero.
struct Images {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  LabeledInputs view() const { return {pixels, labels}; }
};

Images MakeImages(std::size_t count, unsigned seed = 1) {
  std::mt19937 random(seed);
  Images images;
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int64_t>(random() % 10);
    images.labels.push_back(label);
    for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
      const bool is_band = pixel / 78 == static_cast<std::size_t>(label);
      const auto noise = static_cast<std::uint8_t>(random() % 2 * (random() % 100));
      images.pixels.push_back(is_band ? static_cast<std::uint8_t>(155 + noise) : noise);
    }
  }
  return images;
}

// The state of PyTorch's CPU generator after manual_seed(0) and some draws.
std::vector<std::uint8_t> MakeRandomState(std::size_t draws) {
  // The seed, how many words are left before new ones are made, whether it was seeded, the index of
  // the next word, and the 624 words of a Mersenne twister of that seed.
  std::vector<std::uint8_t> state(5056);
  const auto put = [&](std::size_t at, auto value) {
    std::memcpy(state.data() + at, &value, sizeof value);
  };
  constexpr std::uint64_t kSeed = 0;
  constexpr std::uint64_t kNumWords = 624;
  put(0, kSeed);
  put(8, std::int32_t{1});
  put(12, std::int32_t{1});
  put(16, std::uint64_t{0});
  std::uint32_t word = kSeed;
  for (std::uint32_t i = 0; i < kNumWords; ++i) {
    if (i > 0) word = 1812433253U * (word ^ word >> 30) + i;
    put(24 + 8 * i, std::uint64_t{word});
  }
  bnbench::OrderSource source(state);
  for (std::size_t i = 0; i < draws; ++i) source.DrawEvaluation();
  return source.State();
}

// A trial with what its spans look at.
struct Trial {
  NetworkShape network;
  TrainingRecipe recipe;
  std::vector<float> parameters;
  std::vector<std::uint8_t> random_state;
  std::vector<double> learning_rates = {0.01};
  TrialInput input() const { return {network, recipe, learning_rates, parameters, random_state}; }
};

std::vector<double> MakeParameters(const NetworkShape& network, unsigned seed,
                                   const DataShape& shape = kShape) {
  std::mt19937 random(seed);
  std::vector<double> parameters;
  std::size_t inputs = shape.num_inputs;
  const auto draw = [&](std::size_t count, double middle, double spread) {
    for (std::size_t i = 0; i < count; ++i) {
      const double unit = static_cast<double>(random()) / 4294967296.0;
      parameters.push_back(middle + spread * (2 * unit - 1));
    }
  };
  std::vector<std::size_t> sizes = network.hidden_sizes;
  sizes.push_back(shape.num_classes);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    draw(sizes[i] * (inputs + 1), 0, 1 / std::sqrt(static_cast<double>(inputs)));
    const bool is_normalized =
        network.normalization != Normalization::kNone && i + 1 < sizes.size();
    if (is_normalized) draw(sizes[i], 1, 0.2);
    if (is_normalized && network.normalization != Normalization::kRms) draw(sizes[i], 0, 0.2);
    if (is_normalized && network.normalization == Normalization::kBatch) {
      draw(sizes[i], 0, 0);
      draw(sizes[i], 1, 0);
    }
    inputs = sizes[i];
  }
  return parameters;
}

// Whether the value at `index` is a running mean or variance.
bool IsStatistic(const NetworkShape& network, std::size_t index) {
  if (network.normalization != Normalization::kBatch) return false;
  std::size_t inputs = kPixels;
  std::size_t first = 0;
  for (const std::size_t units : network.hidden_sizes) {
    first += units * (inputs + 3);
    if (index >= first && index < first + 2 * units) return true;
    first += 2 * units;
    inputs = units;
  }
  return false;
}

Trial MakeTrial(unsigned seed, const NetworkShape& network, const TrainingRecipe& recipe,
                double learning_rate = 0.01) {
  const std::vector<double> parameters = MakeParameters(network, seed);
  return {network,
          recipe,
          {parameters.begin(), parameters.end()},
          MakeRandomState(seed),
          {learning_rate}};
}

const NetworkShape kPlain{{20, 12}, Normalization::kNone, Activation::kRelu};
const NetworkShape kNormalized{{20, 12}, Normalization::kBatch, Activation::kRelu};

std::vector<TrialResult> Train(const Images& train, const Images& test,
                               const std::vector<Trial>& trials, EnsembleOptions options = {}) {
  std::vector<TrialInput> inputs;
  for (const Trial& trial : trials) inputs.push_back(trial.input());
  std::vector<TrialResult> results(trials.size());
  options.on_trial = [&, on_trial = options.on_trial](std::size_t trial, TrialResult result) {
    if (on_trial) on_trial(trial, result);
    results[trial] = std::move(result);
  };
  std::atomic<bool> stop{false};
  TrainEnsemble({train.view(), test.view(), kShape}, inputs, options, stop);
  return results;
}

bool HasSameBits(const TrialResult& a, const TrialResult& b) {
  if (a.status != b.status || a.parameters.size() != b.parameters.size()) return false;
  if (std::memcmp(a.parameters.data(), b.parameters.data(), a.parameters.size() * sizeof(float))) {
    return false;
  }
  if (a.epochs.size() != b.epochs.size()) return false;
  for (std::size_t i = 0; i < a.epochs.size(); ++i) {
    if (a.epochs[i].train_loss != b.epochs[i].train_loss) return false;
    if (a.epochs[i].test_loss != b.epochs[i].test_loss) return false;
    if (a.epochs[i].test_accuracy != b.epochs[i].test_accuracy) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a network learns classes that can be told apart, with every instruction set") {
  const Images train = MakeImages(600);
  const Images test = MakeImages(100, 2);
  for (const std::string& set : SupportedInstructionSets()) {
    for (const NetworkShape& network : {kPlain, kNormalized}) {
      CAPTURE(set);
      EnsembleOptions options;
      options.instruction_set = set;
      const Trial trial = MakeTrial(1, network, {.epochs = 8, .batch_size = 32}, 0.1);
      const TrialResult result = Train(train, test, {trial}, options)[0];
      CHECK(result.status == TrialStatus::kCompleted);
      CHECK(result.reason.empty());
      REQUIRE(result.epochs.size() == 8);
      CHECK(result.epochs[7].train_loss < 0.5 * result.epochs[0].train_loss);
      CHECK(result.epochs[7].test_accuracy > 0.95);
      CHECK(result.epochs[7].train_seconds > 0);
      CHECK(result.epochs[7].eval_seconds > 0);
    }
  }
}

TEST_CASE("a trial has the same bits alone, among others and on any number of threads") {
  const Images train = MakeImages(332);
  const Images test = MakeImages(77, 2);
  std::vector<Trial> trials;
  for (unsigned seed = 0; seed < 9; ++seed) {
    trials.push_back(MakeTrial(seed, seed % 2 ? kPlain : kNormalized,
                               {.epochs = 2,
                                .batch_size = 10 + 23 * seed,
                                .momentum = seed % 3 ? 0.9 : 0,
                                .weight_decay = seed % 4 ? 1e-3 : 0},
                               0.05));
  }
  std::vector<TrialResult> alone;
  for (const Trial& trial : trials) alone.push_back(Train(train, test, {trial})[0]);
  for (const std::size_t threads : {1, 2, 4}) {
    EnsembleOptions options;
    options.threads = threads;
    const std::vector<TrialResult> together = Train(train, test, trials, options);
    const TrialResult single = Train(train, test, {trials[3]}, options)[0];
    for (std::size_t i = 0; i < trials.size(); ++i) {
      CAPTURE(i);
      CAPTURE(threads);
      CHECK(alone[i].status == TrialStatus::kCompleted);
      CHECK(HasSameBits(alone[i], together[i]));
    }
    CHECK(HasSameBits(alone[3], single));
  }
}

// The loss of one batch and the parameters after a step of rate 1 down its gradient, in binary64.
struct Descent {
  double loss = 0;
  std::vector<double> parameters;
};

Descent Descend(const NetworkShape& network, const std::vector<double>& parameters,
                const LabeledInputs& batch, const DataShape& shape = kShape) {
  constexpr double kRate = 1;
  const std::vector<std::uint8_t> state = MakeRandomState(0);
  const auto result = TrainInBinary64(
      {batch, batch, shape},
      {network, {.batch_size = batch.labels.size()}, {&kRate, 1}, parameters, state});
  REQUIRE(result.status == TrialStatus::kCompleted);
  return {result.epochs[0].train_loss, result.parameters};
}

TEST_CASE("analytic gradients are those of finite differences") {
  const Images batch = MakeImages(70);
  const NetworkShape plain{{6, 5}, Normalization::kNone, Activation::kRelu};
  std::vector<NetworkShape> networks;
  for (const Activation activation : {Activation::kRelu, Activation::kGelu, Activation::kSilu,
                                      Activation::kSigmoid, Activation::kTanh}) {
    networks.push_back(plain);
    networks.back().activation = activation;
  }
  for (const Normalization normalization :
       {Normalization::kBatch, Normalization::kLayer, Normalization::kRms}) {
    for (const Placement placement : {Placement::kBeforeActivation, Placement::kAfterActivation}) {
      networks.push_back({{6, 5}, normalization, Activation::kTanh, placement, 0, true});
    }
  }
  for (const NetworkShape& network : networks) {
    const std::vector<double> parameters = MakeParameters(network, 3);
    const Descent descent = Descend(network, parameters, batch.view());
    // Every parameter after the first matrix, and some of that.
    const std::size_t first = 6 * kPixels;
    for (std::size_t i = 0; i < parameters.size(); i += i < first ? 97 : 1) {
      if (IsStatistic(network, i)) continue;
      constexpr double kStep = 1e-6;
      std::vector<double> moved = parameters;
      moved[i] += kStep;
      const double above = Descend(network, moved, batch.view()).loss;
      moved[i] -= 2 * kStep;
      const double below = Descend(network, moved, batch.view()).loss;
      CAPTURE(i);
      CHECK(parameters[i] - descent.parameters[i] ==
            doctest::Approx((above - below) / (2 * kStep)).epsilon(1e-4));
    }
  }
}

// Draws inputs of one in three zeros, and a label for each.
template <class T>
struct DrawnInputs {
  DrawnInputs(std::size_t count, const DataShape& shape) {
    std::mt19937 random(4);
    for (std::size_t i = 0; i < count * shape.num_inputs; ++i) {
      const auto byte = static_cast<T>(random() % 3 == 0 ? 0U : random() % 256);
      values.push_back(std::is_same_v<T, float> ? static_cast<T>((byte - T{128}) / T{64}) : byte);
    }
    for (std::size_t i = 0; i < count; ++i) {
      labels.push_back(static_cast<std::int64_t>(random() % shape.num_classes));
    }
  }
  LabeledInputs view() const { return {values, labels}; }

  std::vector<T> values;
  std::vector<std::int64_t> labels;
};

TEST_CASE_TEMPLATE("gradients are those of finite differences for inputs of any number", T,
                   std::uint8_t, float) {
  // Of 1, 3 and 113 inputs the last has no neighbor; 47 classes take three vectors of padding.
  for (const DataShape& shape :
       {DataShape{1, 2}, DataShape{3, 5}, {64, 47}, {113, 3}, {112, 300}}) {
    CAPTURE(shape.num_inputs);
    const DrawnInputs<T> batch(70, shape);
    const NetworkShape network{{6}, Normalization::kBatch, Activation::kTanh};
    const std::vector<double> parameters = MakeParameters(network, 3, shape);
    REQUIRE(parameters.size() == CountParameters(network, shape));
    const Descent descent = Descend(network, parameters, batch.view(), shape);
    const std::size_t statistics = 6 * (shape.num_inputs + 3);
    for (std::size_t i = 0; i < parameters.size(); i += i < statistics ? 1 : 5) {
      if (i >= statistics && i < statistics + 12) continue;
      constexpr double kStep = 1e-6;
      std::vector<double> moved = parameters;
      moved[i] += kStep;
      const double above = Descend(network, moved, batch.view(), shape).loss;
      moved[i] -= 2 * kStep;
      const double below = Descend(network, moved, batch.view(), shape).loss;
      CAPTURE(i);
      const double slope = (above - below) / (2 * kStep);
      CHECK(std::abs(parameters[i] - descent.parameters[i] - slope) <
            1e-7 + 1e-4 * std::abs(slope));
    }
  }
}

TEST_CASE("bytes and the floats that they stand for train the same network but for rounding") {
  constexpr DataShape kSmall{65, 4};
  const DrawnInputs<std::uint8_t> bytes(200, kSmall);
  std::vector<float> floats;
  for (const std::uint8_t byte : bytes.values) floats.push_back(static_cast<float>(byte) / 255.0F);
  const NetworkShape network{{9, 5}, Normalization::kBatch, Activation::kRelu};
  const std::vector<double> parameters = MakeParameters(network, 1, kSmall);
  const std::vector<std::uint8_t> state = MakeRandomState(0);
  constexpr double kRate = 0.1;
  const TrainingRecipe recipe{.epochs = 3, .batch_size = 30, .momentum = 0.9, .weight_decay = 0.01};
  const auto train = [&](const LabeledInputs& inputs) {
    return TrainInBinary64({inputs, inputs, kSmall},
                           {network, recipe, {&kRate, 1}, parameters, state});
  };
  const auto of_bytes = train(bytes.view());
  const auto of_floats = train({floats, bytes.labels});
  REQUIRE(of_bytes.status == TrialStatus::kCompleted);
  REQUIRE(of_floats.status == TrialStatus::kCompleted);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CHECK(of_bytes.parameters[i] == doctest::Approx(of_floats.parameters[i]).epsilon(1e-9));
  }
  CHECK(of_bytes.epochs[2].test_accuracy == of_floats.epochs[2].test_accuracy);
}

TEST_CASE("a training set of bytes and a test set of floats are refused") {
  const Images images = MakeImages(4);
  const std::vector<float> floats(images.pixels.size(), 0.5F);
  std::atomic<bool> stop{false};
  CHECK_THROWS_WITH_AS(
      TrainEnsemble({images.view(), {floats, images.labels}, kShape}, {}, {}, stop),
      "test set: expected bytes, as in the training set, got floats", bnbench::DataError);
}

// Two images of one inked pixel each, of value 1. With all weights 0.5 and biases 0 every class has
// probability 0.1. The gradient of the bias of class 0 is (0.1 - 1) / 2 + 0.1 / 2 = -0.4, of class
// 1 the same, of the others 0.1.
Images MakeTwoImages() {
  Images images;
  images.pixels.assign(2 * kPixels, 0);
  images.pixels[0] = 255;
  images.pixels[kPixels + 783] = 255;
  images.labels = {0, 1};
  return images;
}

Trial MakeSingleLayer(const TrainingRecipe& recipe, std::vector<double> learning_rates) {
  Trial trial{{{}, Normalization::kNone, Activation::kRelu},
              recipe,
              std::vector<float>(kPixels * 10 + 10, 0.5F),
              MakeRandomState(0),
              std::move(learning_rates)};
  std::fill(trial.parameters.end() - 10, trial.parameters.end(), 0.0F);
  return trial;
}

std::vector<float> TrainOnTwoImages(const TrainingRecipe& recipe,
                                    std::vector<double> learning_rates) {
  const Images images = MakeTwoImages();
  const TrialResult result =
      Train(images, images, {MakeSingleLayer(recipe, std::move(learning_rates))})[0];
  REQUIRE(result.status == TrialStatus::kCompleted);
  return result.parameters;
}

TEST_CASE("Adam's first step moves by the learning rate, and AdamW's weights shrink by it") {
  constexpr std::size_t kBias = kPixels * 10;
  const auto adam =
      TrainOnTwoImages({.epochs = 1, .batch_size = 2, .optimizer = Optimizer::kAdam}, {0.1});
  CHECK(adam[kBias] == doctest::Approx(0.1));
  CHECK(adam[kBias + 2] == doctest::Approx(-0.1));
  CHECK(adam[0] == doctest::Approx(0.6));
  CHECK(adam[5] == 0.5F);  // a pixel without ink
  const auto adamw = TrainOnTwoImages(
      {.epochs = 1, .batch_size = 2, .optimizer = Optimizer::kAdamW, .weight_decay = 0.2}, {0.1});
  CHECK(adamw[0] == doctest::Approx(0.5 * (1 - 0.1 * 0.2) + 0.1));
  CHECK(adamw[5] == doctest::Approx(0.5 * (1 - 0.1 * 0.2)));
}

TEST_CASE("every step has its own learning rate") {
  constexpr std::size_t kBias = kPixels * 10;
  const TrainingRecipe recipe{.epochs = 2, .batch_size = 2};
  CHECK(TrainOnTwoImages(recipe, {0.1, 0})[kBias] == doctest::Approx(0.04));
  CHECK(TrainOnTwoImages(recipe, {0, 0.2})[kBias] == doctest::Approx(0.08));
  const Images images = MakeTwoImages();
  const TrialResult result = Train(images, images, {MakeSingleLayer(recipe, {1, 1, 1})})[0];
  CHECK(result.status == TrialStatus::kFailed);
  CHECK(result.reason == "learning_rates: expected one, or one for each of 2 steps, got 3");
}

TEST_CASE("averages are worked by hand") {
  constexpr std::size_t kBias = kPixels * 10;
  TrainingRecipe recipe{.epochs = 2, .batch_size = 2, .averaging_decay = 0.75};
  // The bias of class 0 is 0 at first, and 0.04 after both steps.
  recipe.weight_averaging = WeightAveraging::kEma;
  CHECK(TrainOnTwoImages(recipe, {0.1, 0})[kBias] ==
        doctest::Approx(0.75 * (0.25 * 0.04) + 0.25 * 0.04));
  // The last epoch has one step.
  recipe.weight_averaging = WeightAveraging::kLastEpoch;
  CHECK(TrainOnTwoImages(recipe, {0.1, 0})[kBias] == doctest::Approx(0.04));
  // One epoch of two steps: of rate 0, then 1 on the other image.
  recipe.epochs = 1;
  recipe.batch_size = 1;
  const std::vector<float> mean = TrainOnTwoImages(recipe, {0, 1});
  CHECK(std::max(mean[kBias], mean[kBias + 1]) == doctest::Approx((0 + 0.9) / 2));
}

TEST_CASE("the last batch is left out only if it is smaller") {
  const Images train = MakeImages(65);
  const Images first = MakeImages(20, 2);
  TrainingRecipe recipe{.epochs = 1, .batch_size = 64, .drops_last = true};
  // The batch of a single image, which batch normalization refuses, is never met.
  CHECK(Train(train, first, {MakeTrial(1, kNormalized, recipe)})[0].status ==
        TrialStatus::kCompleted);
  recipe.batch_size = 66;
  const TrialResult none = Train(train, first, {MakeTrial(1, kPlain, recipe)})[0];
  CHECK(none.reason ==
        "batch_size: expected at most the 65 training inputs where the last batch is left out, got "
        "66");
  recipe.batch_size = 13;
  TrainingRecipe whole = recipe;
  whole.drops_last = false;
  const auto results =
      Train(train, first, {MakeTrial(1, kPlain, recipe), MakeTrial(1, kPlain, whole)});
  CHECK(HasSameBits(results[0], results[1]));
}

TEST_CASE("dropout of everything is refused") {
  const Images train = MakeImages(64);
  NetworkShape network = kPlain;
  network.dropout = 1;
  const TrialResult result = Train(train, train, {MakeTrial(1, network, {})})[0];
  CHECK(result.reason == "dropout: expected a number in [0, 1), got 1.000000");
}

TEST_CASE("one step is worked by hand: a single layer, two images, momentum and weight decay") {
  const Images images = MakeTwoImages();
  Trial trial =
      MakeSingleLayer({.epochs = 2, .batch_size = 2, .momentum = 0.5, .weight_decay = 0.01}, {0.1});
  trial.recipe.epochs = 1;
  const TrialResult one = Train(images, images, {trial})[0];
  REQUIRE(one.status == TrialStatus::kCompleted);
  CHECK(one.epochs[0].train_loss == doctest::Approx(std::log(10.0)));
  const float* bias = one.parameters.data() + kPixels * 10;
  CHECK(bias[0] == doctest::Approx(0.04));
  CHECK(bias[2] == doctest::Approx(-0.01));
  // Pixel 0 belongs to the image of class 0: gradient (0.1 - 1) / 2, and 0.01 * 0.5 of decay.
  CHECK(one.parameters[0] == doctest::Approx(0.5 - 0.1 * (-0.45 + 0.005)));
  CHECK(one.parameters[783] == doctest::Approx(0.5 - 0.1 * (0.05 + 0.005)));
  // A pixel without ink decays all the same.
  CHECK(one.parameters[5] == doctest::Approx(0.5 - 0.1 * 0.005));

  // In the second step half of the first is added.
  trial.recipe.epochs = 2;
  const TrialResult two = Train(images, images, {trial})[0];
  const double decayed = 0.5 - 0.1 * 0.005;
  CHECK(two.parameters[5] == doctest::Approx(decayed - 0.1 * (0.5 * 0.005 + 0.01 * decayed)));
}

TEST_CASE("running statistics are worked by hand: unbiased variance, momentum 0.1") {
  // One hidden unit that sees pixel 0 with weight 1: the batch's values are 0, 1 and 1 (255 / 255).
  Images images;
  images.pixels.assign(3 * kPixels, 0);
  images.pixels[kPixels] = images.pixels[2 * kPixels] = 255;
  images.labels = {0, 1, 1};
  const NetworkShape network{{1}, Normalization::kBatch, Activation::kTanh};
  Trial trial{network,
              {.epochs = 1, .batch_size = 3},
              std::vector<float>(CountParameters(network, kShape), 0.0F),
              MakeRandomState(0),
              {0}};
  constexpr std::size_t kGain = kPixels + 1;
  constexpr std::size_t kRunningMean = kGain + 2;
  trial.parameters[0] = 1;
  trial.parameters[kGain] = 1;
  trial.parameters[kRunningMean + 1] = 1;
  const TrialResult result = Train(images, images, {trial})[0];
  REQUIRE(result.status == TrialStatus::kCompleted);
  CHECK(result.parameters[kRunningMean] == doctest::Approx(0.1 * 2.0 / 3));
  // The biased variance is 2/9, the unbiased one 1/3.
  CHECK(result.parameters[kRunningMean + 1] == doctest::Approx(0.9 + 0.1 / 3));
}

TEST_CASE("a trial that diverges is on record with its epoch, and the others go on") {
  const Images train = MakeImages(256);
  const Images test = MakeImages(20, 2);
  const TrainingRecipe recipe{.epochs = 2, .batch_size = 32};
  const auto results =
      Train(train, test,
            {MakeTrial(1, kPlain, recipe, 0.05), MakeTrial(1, kPlain, recipe, 1e30),
             MakeTrial(2, kNormalized, recipe, 0.05)});
  CHECK(results[0].status == TrialStatus::kCompleted);
  CHECK(results[1].status == TrialStatus::kFailed);
  CHECK(results[1].reason.starts_with("diverged: training loss is "));
  CHECK(results[1].reason.ends_with(" in epoch 1"));
  CHECK(results[1].epochs.empty());
  CHECK(results[1].parameters.empty());
  CHECK(results[2].status == TrialStatus::kCompleted);
}

TEST_CASE("epochs before a divergence are kept") {
  const Images train = MakeImages(64);
  Trial trial = MakeTrial(1, kPlain, {.epochs = 200, .batch_size = 64}, 0.1);
  trial.recipe.weight_decay = -100;  // the weights grow elevenfold an epoch
  const TrialResult result = Train(train, train, {trial})[0];
  CHECK(result.status == TrialStatus::kFailed);
  CHECK(result.epochs.size() > 3);
  const bool names_next_epoch =
      result.reason.ends_with(" in epoch " + std::to_string(result.epochs.size() + 1));
  CHECK(names_next_epoch);
}

TEST_CASE("batch normalization refuses a batch of one image before it starts") {
  const Images train = MakeImages(65);
  const auto results = Train(train, train,
                             {MakeTrial(1, kNormalized, {.epochs = 1, .batch_size = 64}),
                              MakeTrial(1, kNormalized, {.epochs = 1, .batch_size = 1}),
                              MakeTrial(1, kPlain, {.epochs = 1, .batch_size = 64}),
                              MakeTrial(1, kPlain, {.epochs = 1, .batch_size = 1})});
  CHECK(results[0].status == TrialStatus::kFailed);
  CHECK(results[0].reason ==
        "batch_size: expected at least two inputs in each batch for batch normalization, got 65 "
        "inputs in batches of 64, one with a single input");
  CHECK(results[1].status == TrialStatus::kFailed);
  CHECK(results[2].status == TrialStatus::kCompleted);
  CHECK(results[3].status == TrialStatus::kCompleted);
}

TEST_CASE("what is wrong with one trial is that trial's failure") {
  const Images train = MakeImages(128);
  const TrainingRecipe recipe{.epochs = 1, .batch_size = 64};
  Trial short_of_parameters = MakeTrial(1, kPlain, recipe);
  short_of_parameters.parameters.pop_back();
  Trial bad_state = MakeTrial(1, kPlain, recipe);
  bad_state.random_state.resize(10);
  const auto results =
      Train(train, train, {short_of_parameters, bad_state, MakeTrial(1, kPlain, recipe)});
  CHECK(results[0].status == TrialStatus::kFailed);
  CHECK(results[0].reason == "parameters: expected the 16082 values of the network, got 16081");
  CHECK(results[1].status == TrialStatus::kFailed);
  CHECK(results[1].reason.starts_with("random_state: expected the bytes of torch.get_rng_state()"));
  CHECK(results[2].status == TrialStatus::kCompleted);
}

TEST_CASE("callbacks come from the calling thread, epochs in order and trials after their epochs") {
  const Images train = MakeImages(128);
  std::vector<Trial> trials;
  for (unsigned seed = 0; seed < 5; ++seed) {
    trials.push_back(MakeTrial(seed, kPlain, {.epochs = 3, .batch_size = 64}));
  }
  const std::thread::id caller = std::this_thread::get_id();
  std::vector<std::vector<double>> losses(trials.size());
  std::vector<bool> is_done(trials.size());
  EnsembleOptions options;
  options.threads = 2;
  options.on_epoch = [&](std::size_t trial, const EpochResult& epoch) {
    CHECK(std::this_thread::get_id() == caller);
    CHECK(!is_done[trial]);
    losses[trial].push_back(epoch.train_loss);
  };
  options.on_trial = [&](std::size_t trial, const TrialResult& result) {
    CHECK(std::this_thread::get_id() == caller);
    CHECK(result.status == TrialStatus::kCompleted);
    is_done[trial] = true;
  };
  const auto results = Train(train, train, trials, options);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    CHECK(is_done[i]);
    REQUIRE(losses[i].size() == 3);
    for (std::size_t epoch = 0; epoch < 3; ++epoch) {
      CHECK(losses[i][epoch] == results[i].epochs[epoch].train_loss);
    }
  }
}

TEST_CASE("what a callback throws stops the training and is thrown on") {
  const Images train = MakeImages(640);
  std::vector<Trial> trials;
  for (unsigned seed = 0; seed < 3; ++seed) {
    trials.push_back(MakeTrial(seed, kPlain, {.epochs = 100'000, .batch_size = 64}));
  }
  EnsembleOptions options;
  options.threads = 2;
  options.on_epoch = [](std::size_t, const EpochResult&) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(Train(train, train, trials, options), "enough");
  options.on_epoch = nullptr;
  options.on_tick = [] { throw std::runtime_error("interrupted"); };
  CHECK_THROWS_WITH(Train(train, train, trials, options), "interrupted");
}

TEST_CASE("the stop flag stops trials under way and those to come") {
  const Images train = MakeImages(640);
  const Trial trial = MakeTrial(1, kNormalized, {.epochs = 100'000, .batch_size = 64});
  const std::vector<TrialInput> inputs(4, trial.input());
  std::atomic<bool> stop{false};
  EnsembleOptions options;
  options.threads = 2;
  options.on_epoch = [&](std::size_t, const EpochResult&) { stop = true; };
  std::vector<TrialResult> results(inputs.size());
  options.on_trial = [&](std::size_t index, TrialResult result) {
    results[index] = std::move(result);
  };
  TrainEnsemble({train.view(), train.view(), kShape}, inputs, options, stop);
  for (const TrialResult& result : results) {
    CHECK(result.status == TrialStatus::kStopped);
    CHECK(result.parameters.empty());
  }
  const bool has_begun = !results[0].epochs.empty() || !results[1].epochs.empty();
  CHECK(has_begun);
  CHECK(results[3].epochs.empty());
}

TEST_CASE("images, labels and options that make no sense are refused") {
  const Images train = MakeImages(10);
  Images few_labels = train;
  few_labels.labels.pop_back();
  Images wrong_label = train;
  wrong_label.labels[3] = 10;
  const std::vector<Trial> none;
  CHECK_THROWS_WITH_AS(Train(few_labels, train, none),
                       "training set: expected at least one input of 784 numbers and a label for "
                       "each, got 7840 numbers and 9 labels",
                       bnbench::DataError);
  CHECK_THROWS_WITH_AS(Train(train, wrong_label, none),
                       "test set: expected labels from 0 to 9, got 10 for input 3",
                       bnbench::DataError);
  EnsembleOptions options;
  options.threads = 0;
  CHECK_THROWS_AS(Train(train, train, none, options), bnbench::UsageError);
  options = {};
  options.instruction_set = "mmx";
  CHECK_THROWS_AS(Train(train, train, none, options), bnbench::UsageError);
  CHECK(Train(train, train, none).empty());
}

TEST_CASE("an epoch's order is a permutation, and the next epoch's another") {
  const auto orders = bnbench::DrawBatchOrders(MakeRandomState(0), 100, 2);
  REQUIRE(orders.indices.size() == 200);
  std::array<int, 100> seen{};
  for (const std::int64_t index : orders.indices) ++seen[static_cast<std::size_t>(index)];
  for (const int count : seen) CHECK(count == 2);
  const bool differ = !std::equal(orders.indices.begin(), orders.indices.begin() + 100,
                                  orders.indices.begin() + 100);
  CHECK(differ);
}

TEST_CASE("labels that the caller changes while trials run are not read") {
  const Images train = MakeImages(128);
  Images changed = train;
  const Trial trial = MakeTrial(1, kPlain, {.epochs = 3, .batch_size = 64});
  const TrialResult expected = Train(train, train, {trial})[0];
  EnsembleOptions options;
  options.on_tick = [&] { std::fill(changed.labels.begin(), changed.labels.end(), 255); };
  options.on_epoch = [&](std::size_t, const EpochResult&) { options.on_tick(); };
  CHECK(HasSameBits(Train(changed, changed, {trial}, options)[0], expected));
}

TEST_CASE("sizes beyond any memory are that trial's failure") {
  const Images train = MakeImages(64);
  constexpr std::size_t kHuge = std::size_t{1} << 62;
  std::vector<Trial> trials(3, MakeTrial(1, kPlain, {.epochs = 1, .batch_size = 64}));
  trials[0].network.hidden_sizes = {kHuge, kHuge};
  // Their product wraps round to nothing.
  trials[1].network.hidden_sizes = {kHuge, 4};
  const auto results = Train(train, train, trials);
  for (const std::size_t i : {0U, 1U}) {
    CHECK(results[i].status == TrialStatus::kFailed);
    CHECK(results[i].reason ==
          "size: expected a size that a computer can count to, got one beyond 64 bits; ask for "
          "less");
  }
  CHECK(results[2].status == TrialStatus::kCompleted);
  CHECK_THROWS_AS(CountParameters(trials[0].network, kShape), bnbench::UsageError);
  CHECK_THROWS_AS(bnbench::DrawBatchOrders(MakeRandomState(0), 100, kHuge), bnbench::UsageError);
  CHECK_THROWS_AS(bnbench::DrawBatchOrders(MakeRandomState(0), kHuge, 4), bnbench::UsageError);
}

TEST_CASE("each instruction set says how it adds products") {
  for (const std::string& set : SupportedInstructionSets()) {
    const std::string text = bnbench::DescribeArithmetic(set);
    CHECK(text.starts_with(set + ", "));
    if (set.starts_with("avx")) CHECK(text.ends_with(", fused multiply-add"));
  }
}

#ifdef __linux__
std::ptrdiff_t CountThreads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

TEST_CASE("a worker is one thread, however many images there are") {
  const Images train = MakeImages(40'000);
  const Images test = MakeImages(64);
  const std::ptrdiff_t before = CountThreads();
  std::ptrdiff_t most = 0;
  EnsembleOptions options;
  options.threads = 2;
  options.on_epoch = [&](std::size_t, const EpochResult&) {
    most = std::max(most, CountThreads());
  };
  NetworkShape network{{}, Normalization::kNone, Activation::kRelu};
  Train(train, test, std::vector<Trial>(4, MakeTrial(1, network, {.epochs = 2, .batch_size = 64})),
        options);
  CHECK(most >= before);
  CHECK(most <= before + 2);
  // Torch draws the masks without threads of its own.
  network.hidden_sizes = {100};
  network.dropout = 0.5;
  Train(train, test, std::vector<Trial>(4, MakeTrial(1, network, {.epochs = 1, .batch_size = 64})),
        options);
  CHECK(most <= before + 2);
}

TEST_CASE("too little memory, wherever it ends, ends no process") {
  if (bnbench::kIsSanitized) return;
  const Images train = MakeImages(256);
  const std::vector<Trial> trials(40, MakeTrial(1, kNormalized, {.epochs = 2, .batch_size = 64}));
  for (std::size_t mib = 1; mib <= 256; mib *= 2) {
    bnbench::ChildLimits limits;
    limits.memory_bytes = mib << 20;
    bnbench::ChildEnd ended;
    ForEachInChild(1, 1, limits,
                   {[](std::size_t) { return std::string(); },
                    [&](std::size_t, const std::string&) {
                      EnsembleOptions options;
                      options.threads = 40;
                      Train(train, train, trials, options);
                      return std::string("trained");
                    },
                    [&](std::size_t, bnbench::ChildEnd end) { ended = std::move(end); }});
    CAPTURE(mib);
    CAPTURE(ended.failure);
    CHECK(ended.failure.find("signal") == std::string::npos);
  }
}
#endif
