#include "bnbench/ensemble/units.h"

#include <algorithm>
#include <cmath>

#include "bnbench/checked.h"

namespace bnbench {
namespace {

// That of torch.nn.BatchNorm1d.
constexpr double kNormMomentum = 0.1;

bool NeedsInput(Activation activation) {
  return activation == Activation::kGelu || activation == Activation::kSilu;
}

template <class T>
void MultiplyBy(const T* factors, std::size_t count, T* values) {
  for (std::size_t i = 0; i < count; ++i) values[i] *= factors[i];
}

}  // namespace

template <class T>
HiddenUnits<T>::HiddenUnits(const NetworkShape& shape, const LayerPlace& place,
                            const KernelTable<T>& kernels, std::size_t max_rows,
                            bool keeps_activations)
    : shape_(shape), place_(place), kernels_(kernels) {
  const std::size_t count = Multiply(max_rows, place.width);
  const bool is_before = NormalizesAt(Placement::kBeforeActivation);
  const bool is_after = NormalizesAt(Placement::kAfterActivation);
  linear_ = Buffer<T>(count);
  final_ = Buffer<T>(count);
  out_ = after_ = final_.data();
  if (is_after || shape.dropout > 0 || keeps_activations) {
    activated_ = Buffer<T>(count);
    after_ = activated_.data();
  }
  standardized_ = linear_.data();
  if (is_after) {
    standard_ = Buffer<T>(count);
    standardized_ = standard_.data();
  }
  before_ = linear_.data();
  if (is_before) {
    if (NeedsInput(shape.activation)) shifted_ = Buffer<T>(count);
    before_ = shifted_.size() > 0 ? shifted_.data() : after_;
  }
  if (is_before || is_after) {
    for (Buffer<T>* vector : {&mean_, &variance_, &no_shift_, &gain_gradient_, &shift_gradient_}) {
      *vector = Buffer<T>(place.width);
    }
    scale_ = Buffer<T>(std::max(place.width, max_rows));
  }
  if (shape.dropout > 0) {
    draws_ = Buffer<T>(count);
    mask_ = Buffer<T>(count);
  }
}

template <class T>
void HiddenUnits<T>::DrawMask(OrderSource& random, std::span<const std::uint32_t> loader_rows) {
  const std::size_t units = place_.outputs;
  const double kept = 1 - shape_.dropout;
  random.DrawBernoulli<T>(kept, {draws_.data(), loader_rows.size() * units});
  const T scale = static_cast<T>(1 / kept);
  for (std::size_t row = 0; row < loader_rows.size(); ++row) {
    const T* drawn = draws_.data() + loader_rows[row] * units;
    T* mask = mask_.data() + row * place_.width;
    for (std::size_t unit = 0; unit < units; ++unit) mask[unit] = drawn[unit] * scale;
  }
}

template <class T>
void HiddenUnits<T>::Forward(T* values, std::size_t rows, Pass pass) {
  const std::size_t count = rows * place_.width;
  if (NormalizesAt(Placement::kBeforeActivation)) {
    Normalize(linear_.data(), before_, values, rows, pass);
  }
  kernels_.activate(shape_.activation, before_, after_, count);
  if (NormalizesAt(Placement::kAfterActivation)) {
    Normalize(after_, out_, values, rows, pass);
  } else if (out_ != after_) {
    std::copy_n(after_, count, out_);
  }
  if (shape_.dropout > 0 && pass == Pass::kTrain) MultiplyBy(mask_.data(), count, out_);
}

template <class T>
void HiddenUnits<T>::Normalize(const T* in, T* out, T* values, std::size_t rows, Pass pass) {
  if (shape_.normalization == Normalization::kBatch) {
    NormalizeBatch(in, out, values, rows, pass);
    return;
  }
  const bool centers = shape_.normalization == Normalization::kLayer;
  kernels_.normalize_rows(in, rows, place_.width, place_.outputs, centers, values + place_.gain,
                          centers ? values + place_.shift : no_shift_.data(), standardized_,
                          scale_.data(), out);
}

template <class T>
void HiddenUnits<T>::NormalizeBatch(const T* in, T* out, T* values, std::size_t rows, Pass pass) {
  T* const running_mean = values + place_.running_mean;
  T* const running_variance = values + place_.running_variance;
  const bool is_evaluation = pass == Pass::kEvaluate;
  if (!is_evaluation) {
    kernels_.column_statistics(in, rows, place_.width, mean_.data(), variance_.data());
  }
  const T* const mean = is_evaluation ? running_mean : mean_.data();
  const T* const variance = is_evaluation ? running_variance : variance_.data();
  for (std::size_t unit = 0; unit < place_.outputs; ++unit) {
    scale_[unit] = T{1} / std::sqrt(variance[unit] + static_cast<T>(kNormEpsilon));
  }
  if (pass == Pass::kTrain) MoveStatistics(running_mean, running_variance, rows);
  if (pass == Pass::kCollect) AddStatistics(rows);
  kernels_.normalize(in, rows, place_.width, mean, scale_.data(), values + place_.gain,
                     values + place_.shift, standardized_, out);
}

template <class T>
void HiddenUnits<T>::MoveStatistics(T* running_mean, T* running_variance, std::size_t rows) const {
  // PyTorch normalizes by the biased variance and keeps the unbiased one.
  const T unbiased = static_cast<T>(rows) / static_cast<T>(rows - 1);
  constexpr T kKept = static_cast<T>(1 - kNormMomentum);
  constexpr T kTaken = static_cast<T>(kNormMomentum);
  for (std::size_t unit = 0; unit < place_.outputs; ++unit) {
    running_mean[unit] = kKept * running_mean[unit] + kTaken * mean_[unit];
    running_variance[unit] = kKept * running_variance[unit] + kTaken * (variance_[unit] * unbiased);
  }
}

template <class T>
void HiddenUnits<T>::BeginStatistics() {
  mean_sum_.assign(place_.outputs, 0);
  square_sum_.assign(place_.outputs, 0);
  num_collected_ = 0;
}

template <class T>
void HiddenUnits<T>::AddStatistics(std::size_t rows) {
  const auto count = static_cast<double>(rows);
  for (std::size_t unit = 0; unit < place_.outputs; ++unit) {
    const auto mean = static_cast<double>(mean_[unit]);
    mean_sum_[unit] += count * mean;
    square_sum_[unit] += count * (static_cast<double>(variance_[unit]) + mean * mean);
  }
  num_collected_ += count;
}

template <class T>
void HiddenUnits<T>::EndStatistics(T* values) const {
  if (shape_.normalization != Normalization::kBatch) return;
  const double unbiased = num_collected_ / (num_collected_ - 1);
  for (std::size_t unit = 0; unit < place_.outputs; ++unit) {
    const double mean = mean_sum_[unit] / num_collected_;
    const double variance = square_sum_[unit] / num_collected_ - mean * mean;
    values[place_.running_mean + unit] = static_cast<T>(mean);
    values[place_.running_variance + unit] = static_cast<T>(variance * unbiased);
  }
}

template <class T>
void HiddenUnits<T>::Backward(Trainable<T> parameters, const Step<T>& step, std::size_t rows,
                              T* gradient) {
  const std::size_t count = rows * place_.width;
  if (shape_.dropout > 0) MultiplyBy(mask_.data(), count, gradient);
  if (NormalizesAt(Placement::kAfterActivation)) {
    NormalizeBackward(parameters, step, rows, gradient);
  }
  kernels_.activate_backward(shape_.activation, before_, after_, gradient, count);
  if (NormalizesAt(Placement::kBeforeActivation)) {
    NormalizeBackward(parameters, step, rows, gradient);
  }
}

template <class T>
void HiddenUnits<T>::NormalizeBackward(Trainable<T> parameters, const Step<T>& step,
                                       std::size_t rows, T* gradient) {
  const std::size_t width = place_.width;
  const T* const gain = parameters.values + place_.gain;
  const bool centers = shape_.normalization == Normalization::kLayer;
  const bool is_batch = shape_.normalization == Normalization::kBatch;
  if (is_batch) {
    kernels_.normalize_backward(gradient, standardized_, rows, width, scale_.data(), gain,
                                gain_gradient_.data(), shift_gradient_.data());
  } else {
    kernels_.normalize_rows_backward(gradient, standardized_, rows, width, place_.outputs, centers,
                                     scale_.data(), gain, gain_gradient_.data(),
                                     shift_gradient_.data());
  }
  kernels_.vector_update(gain_gradient_.data(), width, step, At(parameters, place_.gain));
  if (is_batch || centers) {
    kernels_.vector_update(shift_gradient_.data(), width, step, At(parameters, place_.shift));
  }
}

template class HiddenUnits<float>;
template class HiddenUnits<double>;

}  // namespace bnbench
