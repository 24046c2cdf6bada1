// The sizes and choices that the parts of the native engine agree on.
#ifndef BNBENCH_ENSEMBLE_LAYOUT_H_
#define BNBENCH_ENSEMBLE_LAYOUT_H_

#include <cstddef>

namespace bnbench {

enum class Normalization { kNone, kBatch, kLayer, kRms };
enum class Placement { kBeforeActivation, kAfterActivation };
enum class Activation { kRelu, kGelu, kSilu, kSigmoid, kTanh };
enum class Optimizer { kSgd, kAdam, kAdamW };
enum class EvaluationStatistics { kRunning, kPrecise };
enum class WeightAveraging { kNone, kEma, kLastEpoch };

inline constexpr std::size_t kNumPixels = 784;
inline constexpr std::size_t kNumOutputs = 10;

// What every normalization adds to a variance, so that it divides by no zero.
inline constexpr double kNormEpsilon = 1e-5;

// From this many on torch draws its permutations in another way.
inline constexpr std::size_t kMaxImages = 0xffffffff / 20 - 1;

// Two rows of an image: 784 is no multiple of 64, and is one of 56.
inline constexpr std::size_t kInkWordPixels = 56;
inline constexpr std::size_t kInkWords = kNumPixels / kInkWordPixels;

// A word of block ink has one bit for every image of a group.
inline constexpr std::size_t kGroupRows = 64;
inline constexpr std::size_t kMinBlockPixels = 2;

// Padding: 16 floats fill 64 bytes, the widest vector and a cache line.
inline constexpr std::size_t kWidthStep = 16;

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_LAYOUT_H_
