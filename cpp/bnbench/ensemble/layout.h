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

// What the data ask of a network.
struct DataShape {
  std::size_t num_inputs = 1;   // numbers per input, flattened
  std::size_t num_classes = 2;  // labeled from 0
};

// What every normalization adds to a variance, so that it divides by no zero.
inline constexpr double kNormEpsilon = 1e-5;

// From this many on torch draws its permutations in another way.
inline constexpr std::size_t kMaxInputs = 0xffffffff / 20 - 1;

// Two rows of an image of FashionMNIST: its 784 bytes are no multiple of 64, and are one of 56.
inline constexpr std::size_t kInkWordBytes = 56;

// A word of pair ink has one bit for every input of a group.
inline constexpr std::size_t kGroupRows = 64;

// Padding: 16 floats fill 64 bytes, the widest vector and a cache line.
inline constexpr std::size_t kWidthStep = 16;

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_LAYOUT_H_
