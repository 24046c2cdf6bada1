// Kernels on the values of units: biases, batch normalization, activations and the loss.
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
void BiasUpdate(const T* out_gradient, std::size_t rows, std::size_t width, const SgdStep<T>& step,
                Trainable<T> bias) {
  ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
    Vector<T> sums[kCount];
    SumRows<T, kCount>(
        rows, width, column, [&](std::size_t at, int) { return Load(out_gradient + at); }, sums);
    for (int i = 0; i < kCount; ++i) {
      StepVector<T>(sums[i], step, bias, column + static_cast<std::size_t>(i) * kLanes<T>);
    }
  });
}

template <class T>
void VectorUpdate(const T* gradient, std::size_t width, const SgdStep<T>& step,
                  Trainable<T> vector) {
  for (std::size_t i = 0; i < width; i += kLanes<T>) {
    StepVector<T>(Load(gradient + i), step, vector, i);
  }
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
void Activate(Activation activation, T* values, std::size_t count) {
  for (std::size_t i = 0; i < count; i += kLanes<T>) {
    const Vector<T> x = Load(values + i);
    switch (activation) {
      case Activation::kRelu:
        Store<T>(values + i, x < 0 ? Vector<T>{} : x);  // this way round, a NaN stays one
        break;
      case Activation::kSigmoid:
        Store<T>(values + i, Sigmoid<T>(x));
        break;
      case Activation::kTanh:
        Store<T>(values + i, Tanh<T>(x));
        break;
    }
  }
}

template <class T>
void ActivateBackward(Activation activation, const T* values, T* gradient, std::size_t count) {
  for (std::size_t i = 0; i < count; i += kLanes<T>) {
    const Vector<T> y = Load(values + i);
    const Vector<T> g = Load(gradient + i);
    switch (activation) {
      case Activation::kRelu:
        Store<T>(gradient + i, y <= 0 ? Vector<T>{} : g);
        break;
      case Activation::kSigmoid:
        Store<T>(gradient + i, g * (y * (T{1} - y)));
        break;
      case Activation::kTanh:
        Store<T>(gradient + i, g * (T{1} - y * y));
        break;
    }
  }
}

template <class T>
double CrossEntropy(const T* logits, const std::uint8_t* labels, std::size_t rows,
                    std::size_t width, T* gradient, std::size_t* correct) {
  const T inverse_rows = T{1} / static_cast<T>(rows);
  double loss = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const T* in = logits + row * width;
    T* out = gradient + row * width;
    const std::size_t label = labels[row];
    T largest = in[0];
    std::size_t prediction = 0;
    for (std::size_t c = 1; c < kNumOutputs; ++c) {
      prediction = in[c] > largest ? c : prediction;
      largest = in[c] > largest ? in[c] : largest;
    }
    *correct += prediction == label ? 1 : 0;
    for (std::size_t c = 0; c < width; c += kLanes<T>) {
      Store<T>(out + c, Exp(Load(in + c) - Broadcast(largest)));
    }
    T sum = 0;
    for (std::size_t c = 0; c < kNumOutputs; ++c) sum += out[c];
    loss += static_cast<double>(Log(sum) - (in[label] - largest));
    const T factor = inverse_rows / sum;
    for (std::size_t c = 0; c < kNumOutputs; ++c) out[c] *= factor;
    out[label] -= inverse_rows;
    for (std::size_t c = kNumOutputs; c < width; ++c) out[c] = 0;
  }
  return loss;
}

}  // namespace bnbench::BNBENCH_INSTRUCTION_SET

#endif  // BNBENCH_ENSEMBLE_UNITS_INL_H_
