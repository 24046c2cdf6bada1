// Vectors of the instruction set a kernel file is compiled for, by GCC's and Clang's extension.
//
// A kernel file defines BNBENCH_INSTRUCTION_SET (a namespace), BNBENCH_VECTOR_BYTES and
// BNBENCH_ACCUMULATORS (how many vector registers a product may sum in) and includes this. All that
// is defined here lies in that namespace, and nothing of the standard library with code in it is
// used: see kernels.h.
#ifndef BNBENCH_ENSEMBLE_VECTOR_INL_H_
#define BNBENCH_ENSEMBLE_VECTOR_INL_H_

#include <cstddef>
#include <cstdint>

#include "bnbench/ensemble/kernels.h"

#define BNBENCH_ALWAYS_INLINE inline __attribute__((always_inline))

namespace bnbench::BNBENCH_INSTRUCTION_SET {

template <class T>
struct VectorOf;

template <>
struct VectorOf<float> {
  typedef float Type __attribute__((vector_size(BNBENCH_VECTOR_BYTES), may_alias));
  typedef std::uint32_t Bits __attribute__((vector_size(BNBENCH_VECTOR_BYTES), may_alias));
};

template <>
struct VectorOf<double> {
  typedef double Type __attribute__((vector_size(BNBENCH_VECTOR_BYTES), may_alias));
};

template <class T>
using Vector = typename VectorOf<T>::Type;

template <class T>
inline constexpr std::size_t kLanes = BNBENCH_VECTOR_BYTES / sizeof(T);

// As many vectors as a panel of columns is wide: enough independent sums to hide the latency of
// multiply-add (four cycles).
inline constexpr int kPanelVectors = 4;

template <class T>
BNBENCH_ALWAYS_INLINE Vector<T> Load(const T* values) {
  return *reinterpret_cast<const Vector<T>*>(values);
}

template <class T>
BNBENCH_ALWAYS_INLINE void Store(T* values, Vector<T> vector) {
  *reinterpret_cast<Vector<T>*>(values) = vector;
}

template <class T>
BNBENCH_ALWAYS_INLINE Vector<T> Broadcast(T value) {
  return value - Vector<T>{};
}

// Calls body.operator()<kCount>(column) for panels of kCount vectors of columns, the widest first.
template <class T, class Body>
BNBENCH_ALWAYS_INLINE void ForEachPanel(std::size_t width, const Body& body) {
  constexpr std::size_t kPanel = kPanelVectors * kLanes<T>;
  std::size_t column = 0;
  for (; column + kPanel <= width; column += kPanel) {
    body.template operator()<kPanelVectors>(column);
  }
  switch ((width - column) / kLanes<T>) {
    case 3:
      return body.template operator()<3>(column);
    case 2:
      return body.template operator()<2>(column);
    case 1:
      return body.template operator()<1>(column);
    default:
      return;
  }
}

// a b + c, rounded once where the instruction set fuses products. Left to the compiler, that would
// depend on how it turns a loop into vectors.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
BNBENCH_ALWAYS_INLINE float MultiplyAdd(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
BNBENCH_ALWAYS_INLINE double MultiplyAdd(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
#else
template <class T>
BNBENCH_ALWAYS_INLINE T MultiplyAdd(T a, T b, T c) {
  return a * b + c;
}
#endif

BNBENCH_ALWAYS_INLINE float SquareRoot(float x) { return __builtin_sqrtf(x); }
BNBENCH_ALWAYS_INLINE double SquareRoot(double x) { return __builtin_sqrt(x); }

template <class T>
BNBENCH_ALWAYS_INLINE Vector<T> SquareRoots(Vector<T> x) {
  for (std::size_t i = 0; i < kLanes<T>; ++i) x[i] = SquareRoot(x[i]);
  return x;
}

// A value that has decayed to less than any step can show becomes 0. Halved on and on, it would end
// among the smallest numbers, where processors compute a hundred times slower.
template <class T>
BNBENCH_ALWAYS_INLINE Vector<T> DropNegligible(Vector<T> x) {
  constexpr T kNegligible = static_cast<T>(1e-35);
  return (x < 0 ? -x : x) < kNegligible ? Vector<T>{} : x;
}

// Calls body.operator()<kRule>() with the rule of a step, so that no inner loop has to ask for it.
template <class T, class Body>
BNBENCH_ALWAYS_INLINE void WithRule(const Step<T>& step, const Body& body) {
  switch (step.rule) {
    case StepRule::kSgd:
      return body.template operator()<StepRule::kSgd>();
    case StepRule::kAdam:
      return body.template operator()<StepRule::kAdam>();
  }
}

template <StepRule kRule, class T>
BNBENCH_ALWAYS_INLINE void StepVector(Vector<T> gradient, const Step<T>& step,
                                      Trainable<T> parameters, std::size_t offset) {
  T* const values = parameters.values + offset;
  const Vector<T> value = Load(values);
  if (step.weight_decay != 0) gradient += Broadcast(step.weight_decay) * value;
  if constexpr (kRule == StepRule::kSgd) {
    if (step.momentum != 0) {
      T* const velocity = parameters.velocity + offset;
      const Vector<T> moved =
          DropNegligible<T>(gradient + Broadcast(step.momentum) * Load(velocity));
      Store<T>(velocity, moved);
      gradient = step.is_nesterov ? gradient + Broadcast(step.momentum) * moved : moved;
    }
    Store<T>(values, value - Broadcast(step.learning_rate) * gradient);
  } else {
    T* const velocity = parameters.velocity + offset;
    T* const square = parameters.square + offset;
    const Vector<T> before = Load(velocity);
    const Vector<T> mean =
        DropNegligible<T>(before + Broadcast(step.velocity_share) * (gradient - before));
    const Vector<T> mean_square =
        DropNegligible<T>(Broadcast(step.square_decay) * Load(square) +
                          Broadcast(step.square_share) * (gradient * gradient));
    Store<T>(velocity, mean);
    Store<T>(square, mean_square);
    const Vector<T> root = SquareRoots<T>(mean_square) + Broadcast(step.epsilon);
    Store<T>(values, Broadcast(step.kept) * value - Broadcast(step.learning_rate) * mean / root);
  }
}

// exp(x) = 2^n exp(r) with n = round(x / ln 2), and |r| <= ln(2) / 2 where the Taylor series to the
// eighth power is exact to the last place but one. Below about -87 the result is that of -87; a NaN
// comes out as it went in. Sets `scale` to 2^n and returns exp(r) - 1.
BNBENCH_ALWAYS_INLINE Vector<float> ExpParts(Vector<float> x, Vector<float>* scale) {
  using Float = Vector<float>;
  using Bits = VectorOf<float>::Bits;
  constexpr float kLowest = -87.0F;
  constexpr float kHighest = 88.0F;
  x = x < Broadcast(kLowest) ? Broadcast(kLowest) : x;
  x = x > Broadcast(kHighest) ? Broadcast(kHighest) : x;
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits of the sum.
  constexpr float kRounder = 12582912.0F;
  const Float shifted = x * Broadcast(1.44269504F) + Broadcast(kRounder);
  const Float n = shifted - Broadcast(kRounder);
  // ln 2 in two parts: the first has so few bits that n times it is exact.
  const Float r = (x - n * Broadcast(0.693359375F)) - n * Broadcast(-2.12194440e-4F);
  Float sum = Broadcast(1.0F / 40320);
  sum = sum * r + Broadcast(1.0F / 5040);
  sum = sum * r + Broadcast(1.0F / 720);
  sum = sum * r + Broadcast(1.0F / 120);
  sum = sum * r + Broadcast(1.0F / 24);
  sum = sum * r + Broadcast(1.0F / 6);
  sum = sum * r + Broadcast(0.5F);
  sum = sum * r + Broadcast(1.0F);
  constexpr std::uint32_t kExponentOfOne = 0x3f800000;
  const Bits bits = (reinterpret_cast<const Bits&>(shifted) << 23) + kExponentOfOne;
  *scale = reinterpret_cast<const Float&>(bits);
  return sum * r;
}

BNBENCH_ALWAYS_INLINE Vector<float> Exp(Vector<float> x) {
  Vector<float> scale;
  const Vector<float> less_one = ExpParts(x, &scale);
  return less_one * scale + scale;
}

// exp(x) - 1, without the loss of digits that the subtraction would cost near 0.
BNBENCH_ALWAYS_INLINE Vector<float> ExpLessOne(Vector<float> x) {
  Vector<float> scale;
  const Vector<float> less_one = ExpParts(x, &scale);
  return less_one * scale + (scale - Broadcast(1.0F));
}

// The normal distribution's probability of less than x. With p = exp(-x^2 / 2) / 2, p times a
// polynomial of t = 1 / (1 + c |x|) is that of less than -|x| to 1e-7: Abramowitz and Stegun 1964,
// formula 7.1.26.
BNBENCH_ALWAYS_INLINE Vector<float> NormalProbability(Vector<float> x) {
  const Vector<float> size = x < 0 ? -x : x;
  const Vector<float> t = 1.0F / (size * Broadcast(0.3275911F * 0.70710678F) + 1.0F);
  Vector<float> sum = Broadcast(1.061405429F);
  sum = sum * t + Broadcast(-1.453152027F);
  sum = sum * t + Broadcast(1.421413741F);
  sum = sum * t + Broadcast(-0.284496736F);
  sum = sum * t + Broadcast(0.254829592F);
  const Vector<float> tail = sum * t * (Exp(x * x * -0.5F) * 0.5F);
  return x < 0 ? tail : 1.0F - tail;
}

BNBENCH_ALWAYS_INLINE float Log(float x) { return __builtin_logf(x); }

// Binary64 only checks gradients: it needs no speed.
BNBENCH_ALWAYS_INLINE Vector<double> Exp(Vector<double> x) {
  for (std::size_t i = 0; i < kLanes<double>; ++i) x[i] = __builtin_exp(x[i]);
  return x;
}

BNBENCH_ALWAYS_INLINE Vector<double> ExpLessOne(Vector<double> x) {
  for (std::size_t i = 0; i < kLanes<double>; ++i) x[i] = __builtin_expm1(x[i]);
  return x;
}

BNBENCH_ALWAYS_INLINE Vector<double> NormalProbability(Vector<double> x) {
  constexpr double kRootHalf = 0.70710678118654752440;
  for (std::size_t i = 0; i < kLanes<double>; ++i) x[i] = 0.5 * __builtin_erfc(-x[i] * kRootHalf);
  return x;
}

BNBENCH_ALWAYS_INLINE double Log(double x) { return __builtin_log(x); }

}  // namespace bnbench::BNBENCH_INSTRUCTION_SET

#endif  // BNBENCH_ENSEMBLE_VECTOR_INL_H_
