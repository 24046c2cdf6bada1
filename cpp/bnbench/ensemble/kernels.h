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

// Images of a batch, one after another.
//
// Half of the pixels of FashionMNIST are zero, and add nothing to a product. `ink` has a bit for
// every pixel of an image that is not; `pair_ink` a bit for every image of a group of 64 in which
// either of two neighboring pixels is not.
struct InkedImages {
  const std::uint8_t* pixels;     // (rows, kNumPixels)
  const std::uint64_t* ink;       // (rows, kInkWords)
  const std::uint64_t* pair_ink;  // (groups of kGroupRows rows, kPixelPairs)
  std::size_t rows;
};

// v = momentum v + (g + weight_decay w);  w = w - learning_rate v
template <class T>
struct SgdStep {
  T learning_rate;
  T momentum;
  T weight_decay;
};

// A matrix of parameters. `velocity` may be null where the momentum is 0.
template <class T>
struct Trainable {
  T* values;
  T* velocity;
};

template <class T>
struct KernelTable {
  const char* name;
  bool fuses_multiply_add;  // and so rounds once where others round twice

  // out = bias + (pixels / 255) weights, of shape (rows, width).
  void (*input_forward)(const InkedImages& images, const T* weights, const T* bias,
                        std::size_t width, T* out);
  // Finds the pair ink of `rows` images with this ink.
  void (*input_pair_ink)(const std::uint64_t* ink, std::size_t rows, std::uint64_t* pair_ink);
  // Steps the weights against the gradient (pixels / 255)' out_gradient. `partial`
  // has the size of the weights; it may be null up to kGroupRows rows.
  void (*input_update)(const InkedImages& images, const T* out_gradient, std::size_t width,
                       const SgdStep<T>& step, Trainable<T> weights, T* partial);

  // out = bias + in weights, of shape (rows, width); in has `inner` used of `in_width` columns.
  void (*dense_forward)(const T* in, std::size_t in_width, std::size_t rows, std::size_t inner,
                        const T* weights, const T* bias, std::size_t width, T* out);
  // Steps the weights, of shape (inner, width), against the gradient in' out_gradient.
  void (*dense_update)(const T* in, std::size_t in_width, std::size_t rows, std::size_t inner,
                       const T* out_gradient, std::size_t width, const SgdStep<T>& step,
                       Trainable<T> weights);
  // out = in', where in is of shape (rows, columns) of in_width and out of (columns, rows).
  void (*transpose)(const T* in, std::size_t in_width, std::size_t rows, std::size_t columns,
                    T* out, std::size_t out_width);

  // Steps a row of parameters against the sum of the rows of `out_gradient`.
  void (*bias_update)(const T* out_gradient, std::size_t rows, std::size_t width,
                      const SgdStep<T>& step, Trainable<T> bias);
  void (*vector_update)(const T* gradient, std::size_t width, const SgdStep<T>& step,
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

  void (*activate)(Activation activation, T* values, std::size_t count);
  // gradient *= the slope of the activation where it returned `values`.
  void (*activate_backward)(Activation activation, const T* values, T* gradient, std::size_t count);

  // The sum over the rows of the cross-entropy of the logits, of shape (rows, width). Adds to
  // `correct` the rows whose first largest logit is that of the label. `gradient` becomes that of
  // the mean.
  double (*cross_entropy)(const T* logits, const std::uint8_t* labels, std::size_t rows,
                          std::size_t width, T* gradient, std::size_t* correct);
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_KERNELS_H_
