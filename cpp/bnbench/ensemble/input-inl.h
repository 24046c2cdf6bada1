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

// So many inputs, and in the update so many neighboring bytes, are taken at once: every row of
// weights or gradients that is loaded serves all of them. Where there are registers for four, more
// zeros are multiplied than with two, and fewer rows are loaded.
inline constexpr std::size_t kAtOnce = BNBENCH_ACCUMULATORS / kPanelVectors;
static_assert(kAtOnce == kMinBlockBytes || kAtOnce == kMaxBlockBytes);

// The rows of a few inputs, where any of them has ink.
template <class T, int kCount>
BNBENCH_ALWAYS_INLINE void ForwardRows(const InkedInputs& inputs,
                                       const std::size_t (&rows)[kAtOnce], const T* weights,
                                       const T* bias, std::size_t width, T* out) {
  Vector<T> sums[kAtOnce][kCount];
  for (std::size_t r = 0; r < kAtOnce; ++r) {
    for (int i = 0; i < kCount; ++i) {
      sums[r][i] = Load(bias + static_cast<std::size_t>(i) * kLanes<T>);
    }
  }
  for (std::size_t word = 0; word < inputs.num_words; ++word) {
    std::uint64_t ink = 0;
    const std::uint8_t* bytes[kAtOnce];
    for (std::size_t r = 0; r < kAtOnce; ++r) {
      ink |= inputs.ink[rows[r] * inputs.num_words + word];
      bytes[r] = inputs.bytes + rows[r] * inputs.num_bytes + word * kInkWordBytes;
    }
    const T* word_weights = weights + word * kInkWordBytes * width;
    while (ink != 0) {
      const std::size_t at = static_cast<std::size_t>(__builtin_ctzll(ink));
      ink &= ink - 1;
      const T* byte_weights = word_weights + at * width;
      Vector<T> weight[kCount];
      for (int i = 0; i < kCount; ++i) {
        weight[i] = Load(byte_weights + static_cast<std::size_t>(i) * kLanes<T>);
      }
      for (std::size_t r = 0; r < kAtOnce; ++r) {
        const Vector<T> value = Broadcast(kByteValues<T>.of[bytes[r][at]]);
        for (int i = 0; i < kCount; ++i) sums[r][i] += value * weight[i];
      }
    }
  }
  for (std::size_t r = 0; r < kAtOnce; ++r) {
    for (int i = 0; i < kCount; ++i) {
      Store<T>(out + rows[r] * width + static_cast<std::size_t>(i) * kLanes<T>, sums[r][i]);
    }
  }
}

template <class T>
void InputForward(const InkedInputs& inputs, const T* weights, const T* bias, std::size_t width,
                  T* out) {
  ForEachPanel<T>(width, [&]<int kCount>(std::size_t column) {
    for (std::size_t first = 0; first < inputs.rows; first += kAtOnce) {
      std::size_t rows[kAtOnce];  // the last one again where there are no more
      for (std::size_t r = 0; r < kAtOnce; ++r) {
        rows[r] = first + r < inputs.rows ? first + r : inputs.rows - 1;
      }
      ForwardRows<T, kCount>(inputs, rows, weights + column, bias + column, width, out + column);
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

// The words of ink have a row for every input, those of block ink for every block of bytes.
inline void InputBlockInk(const std::uint64_t* ink, std::size_t rows, std::size_t num_words,
                          std::uint64_t* block_ink) {
  static_assert(kGroupRows == 64 && kInkWordBytes % kAtOnce == 0);
  constexpr std::size_t kWordBlocks = kInkWordBytes / kAtOnce;
  constexpr std::uint64_t kFirstOfBlock = ~std::uint64_t{0} / ((std::uint64_t{1} << kAtOnce) - 1);
  for (std::size_t first = 0; first < rows; first += kGroupRows) {
    const std::size_t count = rows - first < kGroupRows ? rows - first : kGroupRows;
    for (std::size_t word = 0; word < num_words; word += kAtOnce) {
      // The blocks of several words fill one: those of the next word in the next bits.
      const std::size_t together = num_words - word < kAtOnce ? num_words - word : kAtOnce;
      alignas(64) std::uint64_t matrix[kGroupRows] = {};
      for (std::size_t row = 0; row < count; ++row) {
        const std::uint64_t* words = ink + (first + row) * num_words + word;
        for (std::size_t i = 0; i < together; ++i) {
          std::uint64_t any = words[i];
          for (std::size_t at = 1; at < kAtOnce; ++at) any |= words[i] >> at;
          matrix[row] |= (any & kFirstOfBlock) << i;
        }
      }
      TransposeBits(matrix);
      for (std::size_t i = 0; i < together; ++i) {
        for (std::size_t block = 0; block < kWordBlocks; ++block) {
          *block_ink++ = matrix[kAtOnce * block + i];
        }
      }
    }
  }
}

// Adds to `sums` the gradient of the weights of a block of bytes over a group of inputs.
template <class T, int kCount>
BNBENCH_ALWAYS_INLINE void AddBlockGradient(const std::uint8_t* bytes, std::size_t num_bytes,
                                            std::uint64_t ink, const T* out_gradient,
                                            std::size_t width, Vector<T> (&sums)[kAtOnce][kCount]) {
  while (ink != 0) {
    const std::size_t row = static_cast<std::size_t>(__builtin_ctzll(ink));
    ink &= ink - 1;
    const T* row_gradient = out_gradient + row * width;
    Vector<T> gradient[kCount];
    for (int i = 0; i < kCount; ++i) {
      gradient[i] = Load(row_gradient + static_cast<std::size_t>(i) * kLanes<T>);
    }
    for (std::size_t at = 0; at < kAtOnce; ++at) {
      const Vector<T> value = Broadcast(kByteValues<T>.of[bytes[row * num_bytes + at]]);
      for (int i = 0; i < kCount; ++i) sums[at][i] += value * gradient[i];
    }
  }
}

// One group of inputs. The sums of a batch of several groups wait in `partial` for the last one.
template <StepRule kRule, class T, int kCount>
BNBENCH_ALWAYS_INLINE void UpdateBlocks(const InkedInputs& inputs, std::size_t first,
                                        const T* out_gradient, std::size_t width,
                                        std::size_t column, const Step<T>& step,
                                        Trainable<T> weights, T* partial) {
  const std::uint8_t* const bytes = inputs.bytes + first * inputs.num_bytes;
  const std::uint64_t* const block_ink =
      inputs.block_ink + first / kGroupRows * (inputs.num_bytes / kAtOnce);
  const std::size_t num_blocks = (inputs.num_inputs + kAtOnce - 1) / kAtOnce;
  const bool is_first = first == 0;
  const bool is_last = first + kGroupRows >= inputs.rows;
  // Only a step that is the gradient and nothing else leaves weights without ink where they are.
  const bool steps_without_ink =
      kRule != StepRule::kSgd || !is_first || step.momentum != 0 || step.weight_decay != 0;
  for (std::size_t block = 0; block < num_blocks; ++block) {
    if (is_last && block_ink[block] == 0 && !steps_without_ink) continue;
    const std::size_t offset = kAtOnce * block * width + column;
    const auto place = [&](std::size_t at, int i) {
      return offset + at * width + static_cast<std::size_t>(i) * kLanes<T>;
    };
    Vector<T> sums[kAtOnce][kCount];
    for (std::size_t at = 0; at < kAtOnce; ++at) {
      for (int i = 0; i < kCount; ++i) {
        sums[at][i] = is_first ? Vector<T>{} : Load(partial + place(at, i));
      }
    }
    AddBlockGradient<T, kCount>(bytes + kAtOnce * block, inputs.num_bytes, block_ink[block],
                                out_gradient + column, width, sums);
    for (std::size_t at = 0; at < kAtOnce; ++at) {
      for (int i = 0; i < kCount; ++i) {
        if (is_last) {
          StepVector<kRule, T>(sums[at][i], step, weights, place(at, i));
        } else {
          Store<T>(partial + place(at, i), sums[at][i]);
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
        UpdateBlocks<kRule, T, kCount>(inputs, first, group_gradient, width, column, step, weights,
                                       partial);
      });
    });
  }
}

}  // namespace bnbench::BNBENCH_INSTRUCTION_SET

#endif  // BNBENCH_ENSEMBLE_INPUT_INL_H_
