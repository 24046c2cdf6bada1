// What a hidden layer does to the outputs of its linear part: normalization, activation, dropout.
#ifndef BNBENCH_ENSEMBLE_UNITS_H_
#define BNBENCH_ENSEMBLE_UNITS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bnbench/ensemble/buffer.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/kernels.h"
#include "bnbench/ensemble/order.h"
#include "bnbench/ensemble/parameters.h"

namespace bnbench {

// kTrain normalizes by the batch's statistics, moves the running ones and drops out. kCollect
// normalizes by the batch's and adds them up. kEvaluate normalizes by the running ones.
enum class Pass { kTrain, kCollect, kEvaluate };

template <class T>
class HiddenUnits {
 public:
  // `keeps_activations` where something is added to the outputs once they are there.
  HiddenUnits(const NetworkShape& shape, const LayerPlace& place, const KernelTable<T>& kernels,
              std::size_t max_rows, bool keeps_activations);

  // Where the linear part puts its outputs, of shape (rows, width). They are overwritten.
  T* linear() { return linear_.data(); }
  T* out() { return out_; }
  const T* out() const { return out_; }

  // Draws the next batch's dropout mask as torch does for inputs in the order of the loader. The
  // image in row i of the batch has row `loader_rows[i]` there.
  void DrawMask(OrderSource& random, std::span<const std::uint32_t> loader_rows);

  // `values` are all of the network's.
  void Forward(T* values, std::size_t rows, Pass pass);
  // Turns the gradient of the outputs into that of the linear part, and steps the normalization.
  void Backward(Trainable<T> parameters, const Step<T>& step, std::size_t rows, T* gradient);

  // Batch normalization's statistics over the batches of all passes of kCollect in between, into
  // `values`: Wu and Johnson 2021, section 3. Does nothing for the other normalizations.
  void BeginStatistics();
  void EndStatistics(T* values) const;

 private:
  bool NormalizesAt(Placement placement) const {
    return shape_.normalization != Normalization::kNone && shape_.placement == placement;
  }
  void Normalize(const T* in, T* out, T* values, std::size_t rows, Pass pass);
  void NormalizeBatch(const T* in, T* out, T* values, std::size_t rows, Pass pass);
  void MoveStatistics(T* running_mean, T* running_variance, std::size_t rows) const;
  void AddStatistics(std::size_t rows);
  void NormalizeBackward(Trainable<T> parameters, const Step<T>& step, std::size_t rows,
                         T* gradient);

  NetworkShape shape_;
  LayerPlace place_;
  const KernelTable<T>& kernels_;

  Buffer<T> linear_;     // outputs of the linear part, standardized if that comes next
  Buffer<T> shifted_;    // inputs of the activation, where they are normalized and its slope's too
  Buffer<T> activated_;  // outputs of the activation, where the layer's are others
  Buffer<T> standard_;   // standardized outputs of the activation
  Buffer<T> final_;      // the layer's outputs
  T* before_;            // inputs of the activation
  T* after_;             // outputs of the activation
  T* standardized_;
  T* out_;

  Buffer<T> mean_;  // of the batch
  Buffer<T> variance_;
  Buffer<T> scale_;  // 1 / standard deviation: of each unit, or of each row
  Buffer<T> no_shift_;
  Buffer<T> gain_gradient_;
  Buffer<T> shift_gradient_;
  std::vector<double> mean_sum_;  // over the collected inputs
  std::vector<double> square_sum_;
  double num_collected_ = 0;

  Buffer<T> draws_;  // 0 or 1, of shape (rows, units), in the order of the loader
  Buffer<T> mask_;   // 0 or 1 / (1 - dropout), of shape (rows, width)
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_UNITS_H_
