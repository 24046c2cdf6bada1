// The arithmetic of the native engine, compiled once for every instruction set.
//
// Matrices are row-major. A row of values for `n` units is padded with zeros to a `width`, a
// multiple of kWidthStep, and starts on a multiple of 64 bytes. Weights are kept with a row for
// each input, so that a row times one input value adds to all outputs at once.
//
// This header is seen by files compiled for processors that the caller may not have. It therefore
// holds no functions: the linker could pick their copy of one for everybody.
#ifndef BNBENCH_ENSEMBLE_KERNELS_H_
#define BNBENCH_ENSEMBLE_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "bnbench/ensemble/layout.h"

namespace bnbench {

// Inputs of a batch that are bytes, one after another.
//
// Half of the bytes of FashionMNIST are zero, and add nothing to a product. `ink` has a bit for
// every byte of an input that is not; `pair_ink` a bit for every input of a group of 64 in which
// either of two neighboring bytes is not.
struct InkedInputs {
  const std::uint8_t* bytes;      // (rows, num_bytes), 0 beyond the inputs
  const std::uint64_t* ink;       // (rows, num_words)
  const std::uint64_t* pair_ink;  // (groups of kGroupRows rows, num_pairs)
  std::size_t rows;
  std::size_t num_words;
  std::size_t num_bytes;
  std::size_t num_pairs;
  std::size_t num_inputs;
};

enum class StepRule { kSgd, kAdam };

// One step of the parameters w against their gradient g, to which weight_decay w is added first.
// kSgd:  v = momentum v + g;  w = w - learning_rate v, or with Nesterov's
//        w = w - learning_rate (g + momentum v)
// kAdam: v = v + velocity_share (g - v);  s = square_decay s + square_share g^2;
//        w = kept w - learning_rate v / (sqrt(s) + epsilon)
template <class T>
struct Step {
  StepRule rule = StepRule::kSgd;
  T learning_rate = 0;
  T momentum = 0;
  T weight_decay = 0;
  bool is_nesterov = false;
  T velocity_share = 0;
  T square_decay = 0;
  T square_share = 0;
  T epsilon = 0;
  T kept = 1;
};

// Parameters, with their v and s where a step has use for them; they are null otherwise.
template <class T>
struct Trainable {
  T* values;
  T* velocity;
  T* square;
};

template <class T>
struct KernelTable {
  const char* name;
  bool fuses_multiply_add;  // and so rounds once where others round twice

  // out = bias + (bytes / 255) weights, of shape (rows, width). An odd number of inputs has one
  // more row of weights.
  void (*input_forward)(const InkedInputs& inputs, const T* weights, const T* bias,
                        std::size_t width, T* out);
  // Finds the pair ink of `rows` inputs with `num_words` words of ink each, an even number.
  void (*input_pair_ink)(const std::uint64_t* ink, std::size_t rows, std::size_t num_words,
                         std::uint64_t* pair_ink);
  // Steps the weights against the gradient (bytes / 255)' out_gradient. `partial`
  // has the size of the weights; it may be null up to kGroupRows rows.
  void (*input_update)(const InkedInputs& inputs, const T* out_gradient, std::size_t width,
                       const Step<T>& step, Trainable<T> weights, T* partial);

  // out = bias + in weights, of shape (rows, width); in has `inner` used of `in_width` columns.
  void (*dense_forward)(const T* in, std::size_t in_width, std::size_t rows, std::size_t inner,
                        const T* weights, const T* bias, std::size_t width, T* out);
  // Steps the weights, of shape (inner, width), against the gradient in' out_gradient.
  void (*dense_update)(const T* in, std::size_t in_width, std::size_t rows, std::size_t inner,
                       const T* out_gradient, std::size_t width, const Step<T>& step,
                       Trainable<T> weights);
  // out = in', where in is of shape (rows, columns) of in_width and out of (columns, rows).
  void (*transpose)(const T* in, std::size_t in_width, std::size_t rows, std::size_t columns,
                    T* out, std::size_t out_width);

  // Steps a row of parameters against the sum of the rows of `out_gradient`.
  void (*bias_update)(const T* out_gradient, std::size_t rows, std::size_t width,
                      const Step<T>& step, Trainable<T> bias);
  void (*vector_update)(const T* gradient, std::size_t width, const Step<T>& step,
                        Trainable<T> vector);

  // Mean and biased variance of every column.
  void (*column_statistics)(const T* values, std::size_t rows, std::size_t width, T* mean,
                            T* variance);
  // standard = (in - mean) scale;  out = standard gain + shift. `standard` may be `in`, and null.
  void (*normalize)(const T* in, std::size_t rows, std::size_t width, const T* mean, const T* scale,
                    const T* gain, const T* shift, T* standard, T* out);
  // Turns the gradient of normalize's `out` into that of its `in`, where mean and scale were those
  // of `in` itself, and finds those of gain and shift.
  void (*normalize_backward)(T* gradient, const T* standard, std::size_t rows, std::size_t width,
                             const T* scale, const T* gain, T* gain_gradient, T* shift_gradient);

  // Layer normalization, or root mean square normalization where it does not center: every row
  // of `units` values by its own statistics. `standard` may be `in`; `scale` has a value for each
  // row; padding stays 0 in `out`.
  void (*normalize_rows)(const T* in, std::size_t rows, std::size_t width, std::size_t units,
                         bool centers, const T* gain, const T* shift, T* standard, T* scale,
                         T* out);
  // As normalize_backward.
  void (*normalize_rows_backward)(T* gradient, const T* standard, std::size_t rows,
                                  std::size_t width, std::size_t units, bool centers,
                                  const T* scale, const T* gain, T* gain_gradient,
                                  T* shift_gradient);

  // `out` may be `in`.
  void (*activate)(Activation activation, const T* in, T* out, std::size_t count);
  // gradient *= the slope of the activation where it turned `in` into `out`. Only kGelu and kSilu
  // read `in`, and only the others `out`.
  void (*activate_backward)(Activation activation, const T* in, const T* out, T* gradient,
                            std::size_t count);

  // The sum over the rows of the cross-entropy of the logits, of shape (rows, width). Adds to
  // `correct` the rows whose first largest logit is that of the label. `gradient` becomes that of
  // the mean. `smoothing` is the share of every label that is spread over all classes.
  double (*cross_entropy)(const T* logits, const std::uint32_t* labels, std::size_t rows,
                          std::size_t num_classes, std::size_t width, T smoothing, T* gradient,
                          std::size_t* correct);

  // mean = (1 - share) mean + share values
  void (*blend)(const T* values, std::size_t count, T share, T* mean);
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_KERNELS_H_
