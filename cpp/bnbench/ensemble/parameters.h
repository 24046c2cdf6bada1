// Where the parameters of a network lie: one after another, each row padded.
#ifndef BNBENCH_ENSEMBLE_PARAMETERS_H_
#define BNBENCH_ENSEMBLE_PARAMETERS_H_

#include <cstddef>
#include <span>
#include <vector>

#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/kernels.h"

namespace bnbench {

// A layer's sizes, and the offsets of its parameters and running statistics. Those that the layer
// does not have are 0, as is the offset of the first layer's weights.
struct LayerPlace {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::size_t width = 0;   // outputs, padded
  std::size_t weight = 0;  // (inputs, width), and one row more where the inputs are odd
  std::size_t bias = 0;
  std::size_t gain = 0;
  std::size_t shift = 0;
  std::size_t running_mean = 0;
  std::size_t running_variance = 0;
  std::vector<std::size_t> vectors;  // the offsets after the weight's, in PyTorch's order
};

struct ParameterLayout {
  ParameterLayout(const NetworkShape& network, const DataShape& data);

  std::size_t size = 0;  // with the padding
  std::vector<LayerPlace> layers;
};

// Those of all parameters that begin at an offset.
template <class T>
Trainable<T> At(const Trainable<T>& all, std::size_t offset) {
  const auto advance = [&](T* first) { return first == nullptr ? nullptr : first + offset; };
  return {advance(all.values), advance(all.velocity), advance(all.square)};
}

// Between the order of TrialInput::parameters and a network's own.
template <class T>
void Spread(const ParameterLayout& layout, std::span<const T> flat, T* padded);
template <class T>
void Flatten(const ParameterLayout& layout, const T* padded, std::span<T> flat);

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_PARAMETERS_H_
