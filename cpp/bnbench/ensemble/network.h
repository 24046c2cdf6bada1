// One network in training: its parameters, and a pass over a batch forward and backward.
#ifndef BNBENCH_ENSEMBLE_NETWORK_H_
#define BNBENCH_ENSEMBLE_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bnbench/checked.h"
#include "bnbench/ensemble/buffer.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/inputs.h"
#include "bnbench/ensemble/kernels.h"
#include "bnbench/ensemble/order.h"
#include "bnbench/ensemble/parameters.h"
#include "bnbench/ensemble/units.h"

namespace bnbench {

struct EvaluationSums {
  double loss = 0;          // sum over the inputs
  std::size_t correct = 0;  // inputs whose first largest logit is that of their label
};

// `T` is float where networks are trained, and double where their training is checked.
//
// The network that is evaluated and saved is the one in training, unless the recipe averages the
// weights or batch normalization finds precise statistics: then it is a second set of parameters.
template <class T>
class Network {
 public:
  // For batches of up to `max_rows` inputs.
  Network(const NetworkShape& shape, const DataShape& data, const TrainingRecipe& recipe,
          const KernelTable<T>& kernels, std::size_t max_rows);

  // Both in the order of TrialInput::parameters.
  void Load(std::span<const T> parameters);
  void Save(std::span<T> parameters) const;

  // Draws the dropout masks of the next batch; see HiddenUnits::DrawMask.
  void DrawMasks(OrderSource& random, std::span<const std::uint32_t> loader_rows);
  // One step of the optimizer. Returns the sum over the inputs of their losses before it.
  double Train(Batch<T>& batch, const Step<T>& step);
  // Moves what is evaluated by a share of the way to what is trained.
  void Average(T share);

  // Whether batch normalization is evaluated with precise statistics. If so, these find them from
  // all batches added in between.
  bool finds_statistics() const { return finds_statistics_; }
  void BeginStatistics();
  void AddStatistics(const Batch<T>& batch);
  void EndStatistics();

  EvaluationSums Evaluate(const Batch<T>& batch);

 private:
  struct Layer {
    Layer(const LayerPlace& layer_place, std::size_t max_rows)
        : place(layer_place), gradient(Multiply(max_rows, layer_place.width)) {}

    LayerPlace place;
    Buffer<T> gradient;           // of the layer's outputs, then of its linear part
    Buffer<T> weight_by_output;   // (outputs, padded inputs); of all layers but the first
    Buffer<T> shortcut_gradient;  // where the layer adds its inputs to its outputs
  };

  void Forward(T* values, const Batch<T>& batch, Pass pass);
  void Backward(Batch<T>& batch, const Step<T>& step);
  // Turns the gradient of a layer's outputs into that of its linear part, and steps the rest.
  void BackwardUnits(std::size_t index, const Step<T>& step, std::size_t rows);

  bool HasShortcut(std::size_t index) const {
    return has_shortcuts_ && index > 0 && index < hidden_.size();
  }
  T* Linear(std::size_t index) {
    return index < hidden_.size() ? hidden_[index].linear() : logits_.data();
  }
  Trainable<T> parameters() { return {values_.data(), velocities_.data(), squares_.data()}; }
  T* evaluated() { return evaluated_.size() > 0 ? evaluated_.data() : values_.data(); }

  const KernelTable<T>& kernels_;
  ParameterLayout layout_;
  std::size_t max_rows_;
  bool has_shortcuts_;
  bool finds_statistics_;
  T label_smoothing_;
  Buffer<T> values_;
  Buffer<T> velocities_;  // as the values; empty where no step has use for them
  Buffer<T> squares_;
  Buffer<T> evaluated_;  // as the values; empty where they are evaluated themselves
  std::vector<Layer> layers_;
  std::vector<HiddenUnits<T>> hidden_;  // of all layers but the last
  Buffer<T> logits_;
  Buffer<T> partial_;  // of the first layer's gradient, for batches of several groups
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_NETWORK_H_
