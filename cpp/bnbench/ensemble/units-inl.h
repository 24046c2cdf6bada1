// Kernels on the values of units: biases, normalizations, activations and the loss.
#ifndef BNBENCH_ENSEMBLE_UNITS_INL_H_
#define BNBENCH_ENSEMBLE_UNITS_INL_H_

#include "bnbench/ensemble/vector-inl.h"

namespace bnbench::BNBENCH_INSTRUCTION_SET {

// Makes sums[i] the sum over the rows of term(offset of the row's vector i, i).
template <class T, int kCount, class Term>
BNBENCH_ALWAYS_INLINE void SumRows(std::size_t rows, std::size_t width, std::size_t column,
                                   const Term& term, Vector<T> (&sums)[kCount]) {
  for (int i = 0; i < kCount; ++i) sums[i] = Vector<T>{};
  for (std::size_t row = 0; row < rows; ++row) {
    for (int i = 0; i < kCount; ++i) {
      sums[i] += term(row * width + column + static_cast<std::size_t>(i) * kLanes<T>, i);
    }
  }
}

template <class T>
void BiasUpdate(const T* out_gradient, std::size_t rows, std::size_t width, const Step<T>& step,
                Trainable<T> bias) {
  WithRule(step, [&]<StepRule kRule>() {
    ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
      Vector<T> sums[kCount];
      SumRows<T, kCount>(
          rows, width, column, [&](std::size_t at, int) { return Load(out_gradient + at); }, sums);
      for (int i = 0; i < kCount; ++i) {
        StepVector<kRule, T>(sums[i], step, bias, column + static_cast<std::size_t>(i) * kLanes<T>);
      }
    });
  });
}

template <class T>
void VectorUpdate(const T* gradient, std::size_t width, const Step<T>& step, Trainable<T> vector) {
  WithRule(step, [&]<StepRule kRule>() {
    for (std::size_t i = 0; i < width; i += kLanes<T>) {
      StepVector<kRule, T>(Load(gradient + i), step, vector, i);
    }
  });
}

template <class T>
void ColumnStatistics(const T* values, std::size_t rows, std::size_t width, T* mean, T* variance) {
  const Vector<T> inverse_rows = Broadcast(T{1} / static_cast<T>(rows));
  ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
    Vector<T> means[kCount];
    SumRows<T, kCount>(
        rows, width, column, [&](std::size_t at, int) { return Load(values + at); }, means);
    for (int i = 0; i < kCount; ++i) means[i] *= inverse_rows;
    // A second pass: the mean of the squares less the square of the mean would lose the digits of a
    // variance that is small beside the mean.
    Vector<T> squares[kCount];
    SumRows<T, kCount>(
        rows, width, column,
        [&](std::size_t at, int i) {
          const Vector<T> deviation = Load(values + at) - means[i];
          return deviation * deviation;
        },
        squares);
    for (int i = 0; i < kCount; ++i) {
      const std::size_t at = column + static_cast<std::size_t>(i) * kLanes<T>;
      Store<T>(mean + at, means[i]);
      Store<T>(variance + at, squares[i] * inverse_rows);
    }
  });
}

template <class T>
void Normalize(const T* in, std::size_t rows, std::size_t width, const T* mean, const T* scale,
               const T* gain, const T* shift, T* standard, T* out) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < width; column += kLanes<T>) {
      const std::size_t at = row * width + column;
      const Vector<T> value = (Load(in + at) - Load(mean + column)) * Load(scale + column);
      if (standard != nullptr) Store<T>(standard + at, value);
      Store<T>(out + at, value * Load(gain + column) + Load(shift + column));
    }
  }
}

// With n rows, standardized values s and the gradient g of the output, the gradient of the input is
// gain scale (g - mean(g) - s mean(g s)): Ioffe and Szegedy 2015, section 3, put together.
template <class T>
void NormalizeBackward(T* gradient, const T* standard, std::size_t rows, std::size_t width,
                       const T* scale, const T* gain, T* gain_gradient, T* shift_gradient) {
  const Vector<T> inverse_rows = Broadcast(T{1} / static_cast<T>(rows));
  ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
    Vector<T> sums[kCount];
    Vector<T> products[kCount];
    SumRows<T, kCount>(
        rows, width, column, [&](std::size_t at, int) { return Load(gradient + at); }, sums);
    SumRows<T, kCount>(
        rows, width, column,
        [&](std::size_t at, int) { return Load(gradient + at) * Load(standard + at); }, products);
    for (int i = 0; i < kCount; ++i) {
      const std::size_t lane = column + static_cast<std::size_t>(i) * kLanes<T>;
      Store<T>(shift_gradient + lane, sums[i]);
      Store<T>(gain_gradient + lane, products[i]);
      const Vector<T> factor = Load(gain + lane) * Load(scale + lane);
      const Vector<T> mean = sums[i] * inverse_rows;
      const Vector<T> slope = products[i] * inverse_rows;
      for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t at = row * width + lane;
        Store<T>(gradient + at,
                 factor * (Load(gradient + at) - mean - Load(standard + at) * slope));
      }
    }
  });
}

// By halves, so that every step but the last few adds vectors.
template <class T>
BNBENCH_ALWAYS_INLINE T SumLanes(Vector<T> vector) {
  alignas(BNBENCH_VECTOR_BYTES) T lanes[kLanes<T>];
  Store<T>(lanes, vector);
  for (std::size_t half = kLanes<T> / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[half + i];
  }
  return lanes[0];
}

template <class T>
BNBENCH_ALWAYS_INLINE void ClearPadding(T* row, std::size_t units, std::size_t width) {
  for (std::size_t unit = units; unit < width; ++unit) row[unit] = 0;
}

// Ba et al. 2016, section 3; without centering Zhang and Sennrich 2019, section 4.
template <class T>
void NormalizeRows(const T* in, std::size_t rows, std::size_t width, std::size_t units,
                   bool centers, const T* gain, const T* shift, T* standard, T* scale, T* out) {
  const T inverse_units = T{1} / static_cast<T>(units);
  for (std::size_t row = 0; row < rows; ++row) {
    const T* row_in = in + row * width;
    T* row_standard = standard + row * width;
    for (std::size_t c = 0; c < width; c += kLanes<T>) Store<T>(row_standard + c, Load(row_in + c));
    ClearPadding(row_standard, units, width);
    if (centers) {
      Vector<T> sum{};
      for (std::size_t c = 0; c < width; c += kLanes<T>) sum += Load(row_standard + c);
      const Vector<T> mean = Broadcast(SumLanes<T>(sum) * inverse_units);
      for (std::size_t c = 0; c < width; c += kLanes<T>) {
        Store<T>(row_standard + c, Load(row_standard + c) - mean);
      }
      ClearPadding(row_standard, units, width);
    }
    Vector<T> squares{};
    for (std::size_t c = 0; c < width; c += kLanes<T>) {
      squares += Load(row_standard + c) * Load(row_standard + c);
    }
    const T variance = SumLanes<T>(squares) * inverse_units;
    scale[row] = T{1} / SquareRoot(variance + static_cast<T>(kNormEpsilon));
    for (std::size_t c = 0; c < width; c += kLanes<T>) {
      const Vector<T> value = Load(row_standard + c) * Broadcast(scale[row]);
      Store<T>(row_standard + c, value);
      Store<T>(out + row * width + c, value * Load(gain + c) + Load(shift + c));
    }
  }
}

// With h = gain g, the gradient of the input is scale (h - mean(h) - s mean(h s)), of which
// mean(h) is only there where the rows were centered.
template <class T>
void NormalizeRowsBackward(T* gradient, const T* standard, std::size_t rows, std::size_t width,
                           std::size_t units, bool centers, const T* scale, const T* gain,
                           T* gain_gradient, T* shift_gradient) {
  const T inverse_units = T{1} / static_cast<T>(units);
  for (std::size_t c = 0; c < width; c += kLanes<T>) {
    Store<T>(gain_gradient + c, Vector<T>{});
    Store<T>(shift_gradient + c, Vector<T>{});
  }
  for (std::size_t row = 0; row < rows; ++row) {
    T* row_gradient = gradient + row * width;
    const T* row_standard = standard + row * width;
    Vector<T> sum{};
    Vector<T> product{};
    for (std::size_t c = 0; c < width; c += kLanes<T>) {
      const Vector<T> g = Load(row_gradient + c);
      const Vector<T> s = Load(row_standard + c);
      Store<T>(gain_gradient + c, Load(gain_gradient + c) + g * s);
      Store<T>(shift_gradient + c, Load(shift_gradient + c) + g);
      const Vector<T> h = g * Load(gain + c);
      Store<T>(row_gradient + c, h);
      sum += h;
      product += h * s;
    }
    const T mean = centers ? SumLanes<T>(sum) * inverse_units : T{0};
    const T slope = SumLanes<T>(product) * inverse_units;
    for (std::size_t c = 0; c < width; c += kLanes<T>) {
      const Vector<T> rest =
          Load(row_gradient + c) - Broadcast(mean) - Load(row_standard + c) * Broadcast(slope);
      Store<T>(row_gradient + c, rest * Broadcast(scale[row]));
    }
    ClearPadding(row_gradient, units, width);
  }
}

template <class T>
void Blend(const T* values, std::size_t count, T share, T* mean) {
  const Vector<T> kept = Broadcast(T{1} - share);
  for (std::size_t i = 0; i < count; i += kLanes<T>) {
    Store<T>(mean + i, kept * Load(mean + i) + Broadcast(share) * Load(values + i));
  }
}

// Both by e = exp(-2|x|) or exp(-|x|), which cannot overflow.
template <class T>
BNBENCH_ALWAYS_INLINE Vector<T> Tanh(Vector<T> x) {
  const Vector<T> size = x < 0 ? -x : x;
  const Vector<T> less_one = ExpLessOne(size * T{-2});
  const Vector<T> result = -less_one / (less_one + T{2});
  return x < 0 ? -result : result;
}

template <class T>
BNBENCH_ALWAYS_INLINE Vector<T> Sigmoid(Vector<T> x) {
  const Vector<T> power = Exp(x < 0 ? x : -x);
  const Vector<T> inverse = T{1} / (power + T{1});
  return x < 0 ? power * inverse : inverse;
}

template <class T>
BNBENCH_ALWAYS_INLINE Vector<T> SiluSlope(Vector<T> x) {
  const Vector<T> s = Sigmoid<T>(x);
  return s * (x * (T{1} - s) + T{1});
}

template <class T>
BNBENCH_ALWAYS_INLINE Vector<T> GeluSlope(Vector<T> x) {
  constexpr T kInverseRootTwoPi = static_cast<T>(0.39894228040143267794);
  return NormalProbability(x) + x * (Exp(x * x * T{-0.5}) * kInverseRootTwoPi);
}

// out = function(in), vector by vector.
template <class T, class Function>
BNBENCH_ALWAYS_INLINE void MapVectors(const T* in, T* out, std::size_t count,
                                      const Function& function) {
  for (std::size_t i = 0; i < count; i += kLanes<T>) Store<T>(out + i, function(Load(in + i)));
}

// gradient = function(values, gradient), vector by vector.
template <class T, class Function>
BNBENCH_ALWAYS_INLINE void ScaleVectors(const T* values, T* gradient, std::size_t count,
                                        const Function& function) {
  for (std::size_t i = 0; i < count; i += kLanes<T>) {
    Store<T>(gradient + i, function(Load(values + i), Load(gradient + i)));
  }
}

template <class T>
void Activate(Activation activation, const T* in, T* out, std::size_t count) {
  using V = Vector<T>;
  switch (activation) {
    case Activation::kRelu:  // this way round, a NaN stays one
      return MapVectors(in, out, count, [](V x) { return x < 0 ? V{} : x; });
    case Activation::kGelu:
      return MapVectors(in, out, count, [](V x) { return x * NormalProbability(x); });
    case Activation::kSilu:
      return MapVectors(in, out, count, [](V x) { return x * Sigmoid<T>(x); });
    case Activation::kSigmoid:
      return MapVectors(in, out, count, [](V x) { return Sigmoid<T>(x); });
    case Activation::kTanh:
      return MapVectors(in, out, count, [](V x) { return Tanh<T>(x); });
  }
}

template <class T>
void ActivateBackward(Activation activation, const T* in, const T* out, T* gradient,
                      std::size_t count) {
  using V = Vector<T>;
  switch (activation) {
    case Activation::kRelu:
      return ScaleVectors(out, gradient, count, [](V y, V g) { return y <= 0 ? V{} : g; });
    case Activation::kGelu:
      return ScaleVectors(in, gradient, count, [](V x, V g) { return g * GeluSlope<T>(x); });
    case Activation::kSilu:
      return ScaleVectors(in, gradient, count, [](V x, V g) { return g * SiluSlope<T>(x); });
    case Activation::kSigmoid:
      return ScaleVectors(out, gradient, count, [](V y, V g) { return g * (y * (T{1} - y)); });
    case Activation::kTanh:
      return ScaleVectors(out, gradient, count, [](V y, V g) { return g * (T{1} - y * y); });
  }
}

// What spreading a part of every label over all classes adds (Szegedy et al. 2016, section 7). The
// products are found ahead of all rows, so that no instruction set fuses them with a sum.
template <class T>
struct LabelSmoothing {
  T smoothing;
  T class_share;        // of each class in the part that is spread
  T gradient_share;     // of the spread part in the gradient of the mean over the rows
  T of_class_gradient;  // of each class in it
};

// Takes the loss and the gradient of one row to its smoothed label. `in` are the row's logits,
// `log_sum` is the logarithm of the sum of their powers.
template <class T>
BNBENCH_ALWAYS_INLINE double SmoothLabel(const LabelSmoothing<T>& smoothed, const T* in,
                                         std::size_t num_classes, std::size_t label, T log_sum,
                                         T* gradient) {
  T mean = 0;
  for (std::size_t c = 0; c < num_classes; ++c) {
    mean = MultiplyAdd(in[c], smoothed.class_share, mean);
    gradient[c] -= smoothed.of_class_gradient;
  }
  gradient[label] += smoothed.gradient_share;
  return static_cast<double>((T{1} - smoothed.smoothing) * (log_sum - in[label]) +
                             smoothed.smoothing * (log_sum - mean));
}

template <class T>
double CrossEntropy(const T* logits, const std::uint32_t* labels, std::size_t rows,
                    std::size_t num_classes, std::size_t width, T smoothing, T* gradient,
                    std::size_t* correct) {
  const T inverse_rows = T{1} / static_cast<T>(rows);
  const T class_share = T{1} / static_cast<T>(num_classes);
  const T gradient_share = inverse_rows * smoothing;
  const LabelSmoothing<T> smoothed{smoothing, class_share, gradient_share,
                                   gradient_share * class_share};
  double loss = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const T* in = logits + row * width;
    T* out = gradient + row * width;
    const std::size_t label = labels[row];
    T largest = in[0];
    std::size_t prediction = 0;
    for (std::size_t c = 1; c < num_classes; ++c) {
      prediction = in[c] > largest ? c : prediction;
      largest = in[c] > largest ? in[c] : largest;
    }
    *correct += prediction == label ? 1 : 0;
    for (std::size_t c = 0; c < width; c += kLanes<T>) {
      Store<T>(out + c, Exp(Load(in + c) - Broadcast(largest)));
    }
    T sum = 0;
    for (std::size_t c = 0; c < num_classes; ++c) sum += out[c];
    const T log_sum = Log(sum);
    const T factor = inverse_rows / sum;
    for (std::size_t c = 0; c < num_classes; ++c) out[c] *= factor;
    out[label] -= inverse_rows;
    loss += smoothing == 0 ? static_cast<double>(log_sum - (in[label] - largest))
                           : SmoothLabel(smoothed, in, num_classes, label, log_sum + largest, out);
    for (std::size_t c = num_classes; c < width; ++c) out[c] = 0;
  }
  return loss;
}

}  // namespace bnbench::BNBENCH_INSTRUCTION_SET

#endif  // BNBENCH_ENSEMBLE_UNITS_INL_H_
