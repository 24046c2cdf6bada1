// Kernels of the first layer for bytes, many of them zero: they skip the zeros.
#ifndef BNBENCH_ENSEMBLE_INPUT_INL_H_
#define BNBENCH_ENSEMBLE_INPUT_INL_H_

#include "bnbench/ensemble/vector-inl.h"

namespace bnbench::BNBENCH_INSTRUCTION_SET {

// The number that a byte stands for: byte / 255 in binary32, as torchvision's ToTensor has it.
template <class T>
struct ByteValues {
  constexpr ByteValues() : of() {
    for (int byte = 0; byte < 256; ++byte) of[byte] = static_cast<float>(byte) / 255.0F;
  }
  T of[256];
};

template <class T>
inline constexpr ByteValues<T> kByteValues{};

// The rows of two inputs, where either has ink, at once: every row of weights loaded serves both.
template <class T, int kCount>
BNBENCH_ALWAYS_INLINE void ForwardTwoRows(const InkedInputs& inputs, std::size_t row,
                                          std::size_t other, const T* weights, const T* bias,
                                          std::size_t width, T* out) {
  Vector<T> sums[2][kCount];
  for (int i = 0; i < kCount; ++i) {
    sums[0][i] = sums[1][i] = Load(bias + static_cast<std::size_t>(i) * kLanes<T>);
  }
  const std::uint64_t* const row_ink = inputs.ink + row * inputs.num_words;
  const std::uint64_t* const other_ink = inputs.ink + other * inputs.num_words;
  const std::uint8_t* const row_bytes = inputs.bytes + row * inputs.num_bytes;
  const std::uint8_t* const other_row_bytes = inputs.bytes + other * inputs.num_bytes;
  for (std::size_t word = 0; word < inputs.num_words; ++word) {
    std::uint64_t ink = row_ink[word] | other_ink[word];
    const std::uint8_t* bytes = row_bytes + word * kInkWordBytes;
    const std::uint8_t* other_bytes = other_row_bytes + word * kInkWordBytes;
    const T* word_weights = weights + word * kInkWordBytes * width;
    while (ink != 0) {
      const std::size_t at = static_cast<std::size_t>(__builtin_ctzll(ink));
      ink &= ink - 1;
      const Vector<T> value = Broadcast(kByteValues<T>.of[bytes[at]]);
      const Vector<T> other_value = Broadcast(kByteValues<T>.of[other_bytes[at]]);
      const T* byte_weights = word_weights + at * width;
      for (int i = 0; i < kCount; ++i) {
        const Vector<T> weight = Load(byte_weights + static_cast<std::size_t>(i) * kLanes<T>);
        sums[0][i] += value * weight;
        sums[1][i] += other_value * weight;
      }
    }
  }
  for (int i = 0; i < kCount; ++i) {
    Store<T>(out + row * width + static_cast<std::size_t>(i) * kLanes<T>, sums[0][i]);
    Store<T>(out + other * width + static_cast<std::size_t>(i) * kLanes<T>, sums[1][i]);
  }
}

template <class T>
void InputForward(const InkedInputs& inputs, const T* weights, const T* bias, std::size_t width,
                  T* out) {
  ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
    for (std::size_t row = 0; row < inputs.rows; row += 2) {
      const std::size_t other = row + 1 < inputs.rows ? row + 1 : row;
      ForwardTwoRows<T, kCount>(inputs, row, other, weights + column, bias + column, width,
                                out + column);
    }
  });
}

// Exchanges the j-th bits of rows and columns of a 64 by 64 matrix of bits.
template <std::size_t kBit>
BNBENCH_ALWAYS_INLINE void SwapBits(std::uint64_t* rows, std::uint64_t mask) {
  for (std::size_t block = 0; block < 64; block += 2 * kBit) {
    for (std::size_t i = 0; i < kBit; ++i) {
      const std::size_t row = block + i;
      const std::uint64_t swapped = (rows[row] >> kBit ^ rows[row + kBit]) & mask;
      rows[row] ^= swapped << kBit;
      rows[row + kBit] ^= swapped;
    }
  }
}

BNBENCH_ALWAYS_INLINE void TransposeBits(std::uint64_t* rows) {
  SwapBits<32>(rows, 0x00000000ffffffff);
  SwapBits<16>(rows, 0x0000ffff0000ffff);
  SwapBits<8>(rows, 0x00ff00ff00ff00ff);
  SwapBits<4>(rows, 0x0f0f0f0f0f0f0f0f);
  SwapBits<2>(rows, 0x3333333333333333);
  SwapBits<1>(rows, 0x5555555555555555);
}

// The words of ink have a row for every input, those of pair ink for every pair.
inline void InputPairInk(const std::uint64_t* ink, std::size_t rows, std::size_t num_words,
                         std::uint64_t* pair_ink) {
  static_assert(kGroupRows == 64 && kInkWordBytes % 2 == 0);
  constexpr std::uint64_t kFirstOfPair = 0x5555555555555555;
  for (std::size_t first = 0; first < rows; first += kGroupRows) {
    const std::size_t count = rows - first < kGroupRows ? rows - first : kGroupRows;
    for (std::size_t word = 0; word < num_words; word += 2) {
      // The pairs of two words fill one: those of the second in its odd bits.
      alignas(64) std::uint64_t matrix[kGroupRows] = {};
      for (std::size_t row = 0; row < count; ++row) {
        const std::uint64_t* words = ink + (first + row) * num_words + word;
        const std::uint64_t even = (words[0] | words[0] >> 1) & kFirstOfPair;
        const std::uint64_t odd = (words[1] | words[1] >> 1) & kFirstOfPair;
        matrix[row] = even | odd << 1;
      }
      TransposeBits(matrix);
      for (std::size_t pair = 0; pair < kInkWordBytes / 2; ++pair) {
        pair_ink[pair] = matrix[2 * pair];
        pair_ink[pair + kInkWordBytes / 2] = matrix[2 * pair + 1];
      }
      pair_ink += kInkWordBytes;
    }
  }
}

// Adds to `sums` the gradient of the weights of two neighboring pixels over a group of inputs.
template <class T, int kCount>
BNBENCH_ALWAYS_INLINE void AddPairGradient(const std::uint8_t* bytes, std::size_t num_bytes,
                                           std::uint64_t ink, const T* out_gradient,
                                           std::size_t width, Vector<T> (&sums)[2][kCount]) {
  while (ink != 0) {
    const std::size_t row = static_cast<std::size_t>(__builtin_ctzll(ink));
    ink &= ink - 1;
    const Vector<T> value = Broadcast(kByteValues<T>.of[bytes[row * num_bytes]]);
    const Vector<T> other_value = Broadcast(kByteValues<T>.of[bytes[row * num_bytes + 1]]);
    const T* row_gradient = out_gradient + row * width;
    for (int i = 0; i < kCount; ++i) {
      const Vector<T> gradient = Load(row_gradient + static_cast<std::size_t>(i) * kLanes<T>);
      sums[0][i] += value * gradient;
      sums[1][i] += other_value * gradient;
    }
  }
}

// One group of inputs. The sums of a batch of several groups wait in `partial` for the last one.
template <StepRule kRule, class T, int kCount>
BNBENCH_ALWAYS_INLINE void UpdatePairs(const InkedInputs& inputs, std::size_t first,
                                       const T* out_gradient, std::size_t width, std::size_t column,
                                       const Step<T>& step, Trainable<T> weights, T* partial) {
  const std::uint8_t* const bytes = inputs.bytes + first * inputs.num_bytes;
  const std::uint64_t* const pair_ink = inputs.pair_ink + first / kGroupRows * inputs.num_pairs;
  const std::size_t num_pairs = (inputs.num_inputs + 1) / 2;
  const bool is_first = first == 0;
  const bool is_last = first + kGroupRows >= inputs.rows;
  // Only a step that is the gradient and nothing else leaves weights without ink where they are.
  const bool steps_without_ink =
      kRule != StepRule::kSgd || !is_first || step.momentum != 0 || step.weight_decay != 0;
  for (std::size_t pair = 0; pair < num_pairs; ++pair) {
    if (is_last && pair_ink[pair] == 0 && !steps_without_ink) continue;
    const std::size_t offset = 2 * pair * width + column;
    Vector<T> sums[2][kCount];
    for (int i = 0; i < kCount; ++i) {
      const std::size_t lane = static_cast<std::size_t>(i) * kLanes<T>;
      sums[0][i] = is_first ? Vector<T>{} : Load(partial + offset + lane);
      sums[1][i] = is_first ? Vector<T>{} : Load(partial + offset + width + lane);
    }
    AddPairGradient<T, kCount>(bytes + 2 * pair, inputs.num_bytes, pair_ink[pair],
                               out_gradient + column, width, sums);
    for (int of_pair = 0; of_pair < 2; ++of_pair) {
      for (int i = 0; i < kCount; ++i) {
        const std::size_t at = offset + static_cast<std::size_t>(of_pair) * width +
                               static_cast<std::size_t>(i) * kLanes<T>;
        if (is_last) {
          StepVector<kRule, T>(sums[of_pair][i], step, weights, at);
        } else {
          Store<T>(partial + at, sums[of_pair][i]);
        }
      }
    }
  }
}

template <class T>
void InputUpdate(const InkedInputs& inputs, const T* out_gradient, std::size_t width,
                 const Step<T>& step, Trainable<T> weights, T* partial) {
  for (std::size_t first = 0; first < inputs.rows; first += kGroupRows) {
    const T* group_gradient = out_gradient + first * width;
    WithRule(step, [&]<StepRule kRule>() {
      ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
        UpdatePairs<kRule, T, kCount>(inputs, first, group_gradient, width, column, step, weights,
                                      partial);
      });
    });
  }
}

}  // namespace bnbench::BNBENCH_INSTRUCTION_SET

#endif  // BNBENCH_ENSEMBLE_INPUT_INL_H_
