#include "bnbench/ensemble/network.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "bnbench/checked.h"

namespace bnbench {
namespace {

// Those of torch.nn.BatchNorm1d.
constexpr double kNormEpsilon = 1e-5;
constexpr double kNormMomentum = 0.1;

}  // namespace

std::size_t CountParameters(const NetworkShape& network) {
  constexpr std::size_t kLinear = 1;  // bias
  constexpr std::size_t kNormalized = 5;
  const std::size_t per_unit =
      network.normalization == Normalization::kBatch ? kNormalized : kLinear;
  std::size_t inputs = kNumPixels;
  std::size_t count = 0;
  for (const std::size_t units : network.hidden_sizes) {
    count = Add(count, Multiply(units, Add(inputs, per_unit)));
    inputs = units;
  }
  return Add(count, Multiply(kNumOutputs, Add(inputs, kLinear)));
}

template <class T>
Network<T>::Network(const NetworkShape& shape, const KernelTable<T>& kernels, std::size_t max_rows,
                    bool has_momentum)
    : shape_(shape), kernels_(kernels), max_rows_(max_rows), has_momentum_(has_momentum) {
  std::size_t inputs = kNumPixels;
  for (const std::size_t units : shape.hidden_sizes) {
    layers_.push_back(MakeLayer(inputs, units, true));
    inputs = units;
  }
  layers_.push_back(MakeLayer(inputs, kNumOutputs, false));
  if (max_rows > kGroupRows) partial_ = Buffer<T>(Multiply(kNumPixels, layers_.front().width));
}

template <class T>
typename Network<T>::Parameter Network<T>::MakeParameter(std::size_t size) const {
  return {Buffer<T>(size), Buffer<T>(has_momentum_ ? size : 0)};
}

template <class T>
typename Network<T>::Layer Network<T>::MakeLayer(std::size_t inputs, std::size_t outputs,
                                                 bool is_hidden) const {
  Layer layer;
  layer.inputs = inputs;
  layer.outputs = outputs;
  layer.width = PaddedWidth(outputs);
  layer.is_hidden = is_hidden;
  layer.is_normalized = is_hidden && shape_.normalization == Normalization::kBatch;
  const std::size_t values = Multiply(max_rows_, layer.width);
  layer.weight = MakeParameter(Multiply(inputs, layer.width));
  layer.bias = MakeParameter(layer.width);
  layer.linear = Buffer<T>(values);
  layer.gradient = Buffer<T>(values);
  if (is_hidden) layer.out = Buffer<T>(values);
  if (!layers_.empty()) layer.weight_by_output = Buffer<T>(Multiply(outputs, PaddedWidth(inputs)));
  if (layer.is_normalized) {
    layer.gain = MakeParameter(layer.width);
    layer.shift = MakeParameter(layer.width);
    for (Buffer<T>* vector :
         {&layer.running_mean, &layer.running_variance, &layer.mean, &layer.variance, &layer.scale,
          &layer.gain_gradient, &layer.shift_gradient}) {
      *vector = Buffer<T>(layer.width);
    }
  }
  return layer;
}

template <class T>
void Network<T>::Load(std::span<const T> parameters) {
  assert(parameters.size() == CountParameters(shape_));
  const T* next = parameters.data();
  const auto load = [&](Buffer<T>& row, std::size_t count) {
    std::copy_n(next, count, row.data());
    next += count;
  };
  for (Layer& layer : layers_) {
    for (std::size_t output = 0; output < layer.outputs; ++output) {
      for (std::size_t input = 0; input < layer.inputs; ++input) {
        layer.weight.values[input * layer.width + output] = *next++;
      }
    }
    load(layer.bias.values, layer.outputs);
    if (layer.is_normalized) {
      load(layer.gain.values, layer.outputs);
      load(layer.shift.values, layer.outputs);
      load(layer.running_mean, layer.outputs);
      load(layer.running_variance, layer.outputs);
    }
    for (Parameter* parameter : {&layer.weight, &layer.bias, &layer.gain, &layer.shift}) {
      std::fill_n(parameter->velocity.data(), parameter->velocity.size(), T{0});
    }
  }
}

template <class T>
void Network<T>::Save(std::span<T> parameters) const {
  assert(parameters.size() == CountParameters(shape_));
  T* next = parameters.data();
  const auto save = [&](const Buffer<T>& row, std::size_t count) {
    next = std::copy_n(row.data(), count, next);
  };
  for (const Layer& layer : layers_) {
    for (std::size_t output = 0; output < layer.outputs; ++output) {
      for (std::size_t input = 0; input < layer.inputs; ++input) {
        *next++ = layer.weight.values[input * layer.width + output];
      }
    }
    save(layer.bias.values, layer.outputs);
    if (layer.is_normalized) {
      save(layer.gain.values, layer.outputs);
      save(layer.shift.values, layer.outputs);
      save(layer.running_mean, layer.outputs);
      save(layer.running_variance, layer.outputs);
    }
  }
}

template <class T>
double Network<T>::Train(Batch& batch, const SgdStep<T>& step) {
  Forward(batch, true);
  Layer& last = layers_.back();
  std::size_t correct = 0;
  const double loss = kernels_.cross_entropy(last.linear.data(), batch.labels(), batch.rows(),
                                             last.width, last.gradient.data(), &correct);
  Backward(batch, step);
  return loss;
}

template <class T>
EvaluationSums Network<T>::Evaluate(const Batch& batch) {
  Forward(batch, false);
  Layer& last = layers_.back();
  EvaluationSums sums;
  sums.loss = kernels_.cross_entropy(last.linear.data(), batch.labels(), batch.rows(), last.width,
                                     last.gradient.data(), &sums.correct);
  return sums;
}

template <class T>
void Network<T>::Forward(const Batch& batch, bool is_training) {
  const std::size_t rows = batch.rows();
  assert(rows <= max_rows_);
  Layer& first = layers_.front();
  kernels_.input_forward(batch.images(), first.weight.values.data(), first.bias.values.data(),
                         first.width, first.linear.data());
  ForwardUnits(first, rows, is_training);
  for (std::size_t i = 1; i < layers_.size(); ++i) {
    const Layer& below = layers_[i - 1];
    Layer& layer = layers_[i];
    kernels_.dense_forward(below.activations(), below.width, rows, layer.inputs,
                           layer.weight.values.data(), layer.bias.values.data(), layer.width,
                           layer.linear.data());
    ForwardUnits(layer, rows, is_training);
  }
}

template <class T>
void Network<T>::ForwardUnits(Layer& layer, std::size_t rows, bool is_training) {
  if (!layer.is_hidden) return;
  const std::size_t count = rows * layer.width;
  if (layer.is_normalized) {
    if (is_training) {
      kernels_.column_statistics(layer.linear.data(), rows, layer.width, layer.mean.data(),
                                 layer.variance.data());
    }
    const Buffer<T>& mean = is_training ? layer.mean : layer.running_mean;
    const Buffer<T>& variance = is_training ? layer.variance : layer.running_variance;
    for (std::size_t unit = 0; unit < layer.outputs; ++unit) {
      layer.scale[unit] = T{1} / std::sqrt(variance[unit] + static_cast<T>(kNormEpsilon));
      if (is_training) {
        // PyTorch normalizes by the biased variance and keeps the unbiased one.
        const T unbiased = static_cast<T>(rows) / static_cast<T>(rows - 1);
        constexpr T kKept = static_cast<T>(1 - kNormMomentum);
        constexpr T kTaken = static_cast<T>(kNormMomentum);
        layer.running_mean[unit] = kKept * layer.running_mean[unit] + kTaken * mean[unit];
        layer.running_variance[unit] =
            kKept * layer.running_variance[unit] + kTaken * (variance[unit] * unbiased);
      }
    }
    kernels_.normalize(layer.linear.data(), rows, layer.width, mean.data(), layer.scale.data(),
                       layer.gain.values.data(), layer.shift.values.data(), layer.linear.data(),
                       layer.out.data());
  } else {
    std::copy_n(layer.linear.data(), count, layer.out.data());
  }
  kernels_.activate(shape_.activation, layer.out.data(), count);
}

template <class T>
void Network<T>::Backward(Batch& batch, const SgdStep<T>& step) {
  const std::size_t rows = batch.rows();
  for (std::size_t i = layers_.size(); i-- > 1;) {
    Layer& layer = layers_[i];
    Layer& below = layers_[i - 1];
    BackwardUnits(layer, rows, step);
    // The gradient flows through the weights as they were, so before their step.
    kernels_.transpose(layer.weight.values.data(), layer.width, layer.inputs, layer.outputs,
                       layer.weight_by_output.data(), below.width);
    kernels_.dense_forward(layer.gradient.data(), layer.width, rows, layer.outputs,
                           layer.weight_by_output.data(), nullptr, below.width,
                           below.gradient.data());
    kernels_.dense_update(below.activations(), below.width, rows, layer.inputs,
                          layer.gradient.data(), layer.width, step, layer.weight.trainable());
  }
  Layer& first = layers_.front();
  BackwardUnits(first, rows, step);
  kernels_.input_pair_ink(batch.images().ink, rows, batch.pair_ink());
  kernels_.input_update(batch.images(), first.gradient.data(), first.width, step,
                        first.weight.trainable(), partial_.data());
}

template <class T>
void Network<T>::BackwardUnits(Layer& layer, std::size_t rows, const SgdStep<T>& step) {
  if (layer.is_hidden) {
    kernels_.activate_backward(shape_.activation, layer.out.data(), layer.gradient.data(),
                               rows * layer.width);
  }
  if (layer.is_normalized) {
    kernels_.normalize_backward(layer.gradient.data(), layer.linear.data(), rows, layer.width,
                                layer.scale.data(), layer.gain.values.data(),
                                layer.gain_gradient.data(), layer.shift_gradient.data());
    kernels_.vector_update(layer.gain_gradient.data(), layer.width, step, layer.gain.trainable());
    kernels_.vector_update(layer.shift_gradient.data(), layer.width, step, layer.shift.trainable());
  }
  kernels_.bias_update(layer.gradient.data(), rows, layer.width, step, layer.bias.trainable());
}

template class Network<float>;
template class Network<double>;

}  // namespace bnbench
