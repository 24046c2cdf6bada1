#include "bnbench/ensemble/network.h"

#include <algorithm>
#include <cassert>

#include "bnbench/ensemble/optimizer.h"

namespace bnbench {
namespace {

// Adds the first columns of one matrix to those of another, as many as both have units.
template <class T>
void AddColumns(const T* in, const LayerPlace& from, std::size_t rows, const LayerPlace& to,
                T* out) {
  const std::size_t units = std::min(from.outputs, to.outputs);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t unit = 0; unit < units; ++unit) {
      out[row * to.width + unit] += in[row * from.width + unit];
    }
  }
}

}  // namespace

template <class T>
Network<T>::Network(const NetworkShape& shape, const DataShape& data, const TrainingRecipe& recipe,
                    const KernelTable<T>& kernels, std::size_t max_rows)
    : kernels_(kernels),
      layout_(shape, data),
      max_rows_(max_rows),
      has_shortcuts_(shape.is_residual),
      finds_statistics_(recipe.evaluation_statistics == EvaluationStatistics::kPrecise &&
                        shape.normalization == Normalization::kBatch),
      label_smoothing_(static_cast<T>(recipe.label_smoothing)),
      values_(layout_.size) {
  const OptimizerMemory memory = FindMemory(recipe);
  if (memory.has_velocity) velocities_ = Buffer<T>(layout_.size);
  if (memory.has_square) squares_ = Buffer<T>(layout_.size);
  if (recipe.weight_averaging != WeightAveraging::kNone || finds_statistics_) {
    evaluated_ = Buffer<T>(layout_.size);
  }
  const std::size_t num_hidden = shape.hidden_sizes.size();
  layers_.reserve(num_hidden + 1);
  hidden_.reserve(num_hidden);
  for (std::size_t i = 0; i <= num_hidden; ++i) {
    const LayerPlace& place = layout_.layers[i];
    Layer& layer = layers_.emplace_back(place, max_rows);
    if (i > 0) {
      layer.weight_by_output = Buffer<T>(Multiply(place.outputs, PaddedWidth(place.inputs)));
    }
    if (i == num_hidden) break;
    const bool has_shortcut = shape.is_residual && i > 0;
    if (has_shortcut) layer.shortcut_gradient = Buffer<T>(layer.gradient.size());
    hidden_.emplace_back(shape, place, kernels, max_rows, has_shortcut);
  }
  logits_ = Buffer<T>(Multiply(max_rows, layout_.layers.back().width));
  if (max_rows > kGroupRows) {
    const LayerPlace& first = layout_.layers.front();
    partial_ = Buffer<T>(first.bias - first.weight);  // as the first layer's weights
  }
}

template <class T>
void Network<T>::Load(std::span<const T> parameters) {
  Spread(layout_, parameters, values_.data());
  std::copy_n(values_.data(), evaluated_.size(), evaluated_.data());
}

template <class T>
void Network<T>::Save(std::span<T> parameters) const {
  Flatten(layout_, evaluated_.size() > 0 ? evaluated_.data() : values_.data(), parameters);
}

template <class T>
void Network<T>::DrawMasks(OrderSource& random, std::span<const std::uint32_t> loader_rows) {
  for (HiddenUnits<T>& units : hidden_) units.DrawMask(random, loader_rows);
}

template <class T>
double Network<T>::Train(Batch<T>& batch, const Step<T>& step) {
  Forward(values_.data(), batch, Pass::kTrain);
  Layer& last = layers_.back();
  std::size_t correct = 0;
  const double loss =
      kernels_.cross_entropy(logits_.data(), batch.labels(), batch.rows(), last.place.outputs,
                             last.place.width, label_smoothing_, last.gradient.data(), &correct);
  Backward(batch, step);
  return loss;
}

template <class T>
void Network<T>::Average(T share) {
  kernels_.blend(values_.data(), values_.size(), share, evaluated_.data());
}

template <class T>
void Network<T>::BeginStatistics() {
  for (HiddenUnits<T>& units : hidden_) units.BeginStatistics();
}

template <class T>
void Network<T>::AddStatistics(const Batch<T>& batch) {
  Forward(evaluated(), batch, Pass::kCollect);
}

template <class T>
void Network<T>::EndStatistics() {
  for (const HiddenUnits<T>& units : hidden_) units.EndStatistics(evaluated());
}

template <class T>
EvaluationSums Network<T>::Evaluate(const Batch<T>& batch) {
  Forward(evaluated(), batch, Pass::kEvaluate);
  Layer& last = layers_.back();
  EvaluationSums sums;
  sums.loss =
      kernels_.cross_entropy(logits_.data(), batch.labels(), batch.rows(), last.place.outputs,
                             last.place.width, T{0}, last.gradient.data(), &sums.correct);
  return sums;
}

template <class T>
void Network<T>::Forward(T* values, const Batch<T>& batch, Pass pass) {
  const std::size_t rows = batch.rows();
  assert(rows <= max_rows_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const LayerPlace& place = layers_[i].place;
    const T* const weight = values + place.weight;
    const T* const bias = values + place.bias;
    if (i == 0 && batch.holds_bytes()) {
      kernels_.input_forward(batch.inked(), weight, bias, place.width, Linear(i));
    } else if (i == 0) {
      kernels_.dense_forward(batch.values(), place.inputs, rows, place.inputs, weight, bias,
                             place.width, Linear(i));
    } else {
      kernels_.dense_forward(hidden_[i - 1].out(), layers_[i - 1].place.width, rows, place.inputs,
                             weight, bias, place.width, Linear(i));
    }
    if (i == hidden_.size()) break;
    hidden_[i].Forward(values, rows, pass);
    if (HasShortcut(i)) {
      AddColumns(hidden_[i - 1].out(), layers_[i - 1].place, rows, place, hidden_[i].out());
    }
  }
}

template <class T>
void Network<T>::Backward(Batch<T>& batch, const Step<T>& step) {
  const std::size_t rows = batch.rows();
  for (std::size_t i = layers_.size(); i-- > 1;) {
    Layer& layer = layers_[i];
    Layer& below = layers_[i - 1];
    const LayerPlace& place = layer.place;
    BackwardUnits(i, step, rows);
    // The gradient flows through the weights as they were, so before their step.
    kernels_.transpose(values_.data() + place.weight, place.width, place.inputs, place.outputs,
                       layer.weight_by_output.data(), below.place.width);
    kernels_.dense_forward(layer.gradient.data(), place.width, rows, place.outputs,
                           layer.weight_by_output.data(), nullptr, below.place.width,
                           below.gradient.data());
    kernels_.dense_update(hidden_[i - 1].out(), below.place.width, rows, place.inputs,
                          layer.gradient.data(), place.width, step, At(parameters(), place.weight));
    if (HasShortcut(i)) {
      AddColumns(layer.shortcut_gradient.data(), place, rows, below.place, below.gradient.data());
    }
  }
  Layer& first = layers_.front();
  BackwardUnits(0, step, rows);
  const LayerPlace& place = first.place;
  const Trainable<T> weights = At(parameters(), place.weight);
  if (!batch.holds_bytes()) {
    kernels_.dense_update(batch.values(), place.inputs, rows, place.inputs, first.gradient.data(),
                          place.width, step, weights);
    return;
  }
  const InkedInputs inked = batch.inked();
  kernels_.input_pair_ink(inked.ink, rows, inked.num_words, batch.pair_ink());
  kernels_.input_update(inked, first.gradient.data(), place.width, step, weights, partial_.data());
}

template <class T>
void Network<T>::BackwardUnits(std::size_t index, const Step<T>& step, std::size_t rows) {
  Layer& layer = layers_[index];
  const std::size_t width = layer.place.width;
  if (HasShortcut(index)) {
    std::copy_n(layer.gradient.data(), rows * width, layer.shortcut_gradient.data());
  }
  if (index < hidden_.size()) {
    hidden_[index].Backward(parameters(), step, rows, layer.gradient.data());
  }
  kernels_.bias_update(layer.gradient.data(), rows, width, step,
                       At(parameters(), layer.place.bias));
}

template class Network<float>;
template class Network<double>;

}  // namespace bnbench
