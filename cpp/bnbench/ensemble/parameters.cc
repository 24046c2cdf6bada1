#include "bnbench/ensemble/parameters.h"

#include <cassert>

#include "bnbench/checked.h"
#include "bnbench/ensemble/buffer.h"

namespace bnbench {
namespace {

// The vectors of a normalization, in PyTorch's order.
std::vector<std::size_t LayerPlace::*> ListVectors(Normalization normalization) {
  switch (normalization) {
    case Normalization::kNone:
      break;
    case Normalization::kBatch:
      return {&LayerPlace::gain, &LayerPlace::shift, &LayerPlace::running_mean,
              &LayerPlace::running_variance};
    case Normalization::kLayer:
      return {&LayerPlace::gain, &LayerPlace::shift};
    case Normalization::kRms:
      return {&LayerPlace::gain};
  }
  return {};
}

// Calls body(offset of a value in the padded parameters) for all values, in PyTorch's order.
template <class Body>
void ForEachValue(const ParameterLayout& layout, const Body& body) {
  for (const LayerPlace& layer : layout.layers) {
    for (std::size_t output = 0; output < layer.outputs; ++output) {
      for (std::size_t input = 0; input < layer.inputs; ++input) {
        body(layer.weight + input * layer.width + output);
      }
    }
    for (const std::size_t vector : layer.vectors) {
      for (std::size_t output = 0; output < layer.outputs; ++output) body(vector + output);
    }
  }
}

}  // namespace

std::size_t CountParameters(const NetworkShape& network, const DataShape& data) {
  const std::size_t per_unit = Add(1, ListVectors(network.normalization).size());
  std::size_t inputs = data.num_inputs;
  std::size_t count = 0;
  for (const std::size_t units : network.hidden_sizes) {
    count = Add(count, Multiply(units, Add(inputs, per_unit)));
    inputs = units;
  }
  return Add(count, Multiply(data.num_classes, Add(inputs, 1)));
}

ParameterLayout::ParameterLayout(const NetworkShape& network, const DataShape& data) {
  const auto take = [&](std::size_t count) {
    const std::size_t offset = size;
    size = Add(size, count);
    return offset;
  };
  const auto add_layer = [&](std::size_t inputs, std::size_t outputs, Normalization normalization) {
    LayerPlace layer;
    layer.inputs = inputs;
    layer.outputs = outputs;
    layer.width = PaddedWidth(outputs);
    // The kernels of the first layer step the rows of two inputs at a time.
    layer.weight = take(Multiply(Add(inputs, inputs % 2), layer.width));
    layer.bias = take(layer.width);
    layer.vectors.push_back(layer.bias);
    for (std::size_t LayerPlace::*vector : ListVectors(normalization)) {
      layer.*vector = take(layer.width);
      layer.vectors.push_back(layer.*vector);
    }
    layers.push_back(layer);
  };
  std::size_t inputs = data.num_inputs;
  for (const std::size_t units : network.hidden_sizes) {
    add_layer(inputs, units, network.normalization);
    inputs = units;
  }
  add_layer(inputs, data.num_classes, Normalization::kNone);
}

template <class T>
void Spread(const ParameterLayout& layout, std::span<const T> flat, T* padded) {
  const T* next = flat.data();
  ForEachValue(layout, [&](std::size_t at) { padded[at] = *next++; });
  assert(next == flat.data() + flat.size());
}

template <class T>
void Flatten(const ParameterLayout& layout, const T* padded, std::span<T> flat) {
  T* next = flat.data();
  ForEachValue(layout, [&](std::size_t at) { *next++ = padded[at]; });
  assert(next == flat.data() + flat.size());
}

template void Spread(const ParameterLayout&, std::span<const float>, float*);
template void Spread(const ParameterLayout&, std::span<const double>, double*);
template void Flatten(const ParameterLayout&, const float*, std::span<float>);
template void Flatten(const ParameterLayout&, const double*, std::span<double>);

}  // namespace bnbench
