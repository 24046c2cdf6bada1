// One network in training: its parameters, and a pass over a batch forward and backward.
#ifndef BNBENCH_ENSEMBLE_NETWORK_H_
#define BNBENCH_ENSEMBLE_NETWORK_H_

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "bnbench/ensemble/buffer.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/images.h"
#include "bnbench/ensemble/kernels.h"

namespace bnbench {

struct EvaluationSums {
  double loss = 0;          // sum over the images
  std::size_t correct = 0;  // images whose first largest logit is that of their label
};

// `T` is float where networks are trained, and double where their gradients are checked.
template <class T>
class Network {
 public:
  // For batches of up to `max_rows` images. Without momentum no velocities are kept.
  Network(const NetworkShape& shape, const KernelTable<T>& kernels, std::size_t max_rows,
          bool has_momentum);

  // Both in the order of TrialInput::parameters. Loading forgets the velocities.
  void Load(std::span<const T> parameters);
  void Save(std::span<T> parameters) const;

  // One step of gradient descent. Returns the sum over the images of their losses before it.
  double Train(Batch& batch, const SgdStep<T>& step);

  // With running statistics in place of the batch's.
  EvaluationSums Evaluate(const Batch& batch);

 private:
  struct Parameter {
    Buffer<T> values;
    Buffer<T> velocity;
    Trainable<T> trainable() { return {values.data(), velocity.data()}; }
  };

  struct Layer {
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    std::size_t width = 0;  // outputs, padded
    bool is_normalized = false;
    bool is_hidden = false;

    Parameter weight;  // (inputs, width)
    Parameter bias;
    Parameter gain;
    Parameter shift;
    Buffer<T> running_mean;
    Buffer<T> running_variance;

    Buffer<T> linear;  // outputs of the linear layer, standardized where the layer is normalized
    Buffer<T> out;     // after the activation; of a hidden layer only
    Buffer<T> gradient;
    Buffer<T> mean;  // of the batch, or running
    Buffer<T> variance;
    Buffer<T> scale;  // 1 / standard deviation
    Buffer<T> gain_gradient;
    Buffer<T> shift_gradient;
    Buffer<T> weight_by_output;  // (outputs, padded inputs); of all layers but the first

    const T* activations() const { return is_hidden ? out.data() : linear.data(); }
  };

  Parameter MakeParameter(std::size_t size) const;
  Layer MakeLayer(std::size_t inputs, std::size_t outputs, bool is_hidden) const;

  void Forward(const Batch& batch, bool is_training);
  void ForwardUnits(Layer& layer, std::size_t rows, bool is_training);
  void Backward(Batch& batch, const SgdStep<T>& step);
  void BackwardUnits(Layer& layer, std::size_t rows, const SgdStep<T>& step);

  NetworkShape shape_;
  const KernelTable<T>& kernels_;
  std::size_t max_rows_;
  bool has_momentum_;
  std::vector<Layer> layers_;
  Buffer<T> partial_;  // of the first layer's gradient, for batches of several groups
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_NETWORK_H_
