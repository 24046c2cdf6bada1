// Every kernel of every instruction set against plain loops in binary64.

#include "bnbench/ensemble/kernels.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "bnbench/ensemble/buffer.h"
#include "bnbench/ensemble/dispatch.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/images.h"

using bnbench::Activation;
using bnbench::Buffer;
using bnbench::KernelTable;
using bnbench::kGroupRows;
using bnbench::kNumOutputs;
using bnbench::kNumPixels;
using bnbench::SgdStep;
using Values = std::vector<double>;

namespace {

// Widths of one vector up to more than a panel of any set, and rows of one to several tiles.
constexpr std::size_t kWidths[] = {16, 48, 80};
constexpr std::size_t kRows[] = {1, 7, 64, 70};

template <class T>
Buffer<T> Draw(std::mt19937* random, std::size_t size, double middle = 0, double spread = 1) {
  std::uniform_real_distribution<double> draw(middle - spread, middle + spread);
  Buffer<T> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<T>(draw(*random));
  return values;
}

template <class T>
Values Copy(const Buffer<T>& values) {
  return {values.data(), values.data() + values.size()};
}

// Sums of a few hundred terms of about 1.
template <class T>
void CheckClose(const Buffer<T>& found, const Values& expected) {
  constexpr double kTolerance = std::is_same_v<T, float> ? 1e-4 : 1e-12;
  REQUIRE(found.size() == expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(found[i]) - expected[i]));
  }
  CHECK(largest <= kTolerance);
}

template <class T>
void ForEachSet(const std::function<void(const KernelTable<T>&)>& body) {
  for (const std::string& set : bnbench::SupportedInstructionSets()) {
    CAPTURE(set);
    body(bnbench::FindKernels<T>(set));
  }
}

// weights of shape (inner, width) after a step against in' out_gradient.
void StepPlainly(const Values& gradient, const Values& step, Values* weights, Values* velocity) {
  for (std::size_t i = 0; i < weights->size(); ++i) {
    const double full = gradient[i] + step[2] * (*weights)[i] + step[1] * (*velocity)[i];
    if (step[1] != 0) (*velocity)[i] = full;
    (*weights)[i] -= step[0] * full;
  }
}

const Values kSteps[] = {{0.25, 0, 0}, {0.25, 0.5, 0}, {0.25, 0, 0.125}, {0.25, 0.5, 0.125}};

template <class T>
SgdStep<T> MakeStep(const Values& step) {
  return {static_cast<T>(step[0]), static_cast<T>(step[1]), static_cast<T>(step[2])};
}

struct Images {
  explicit Images(std::size_t rows) : labels(rows, 0) {
    std::mt19937 random(static_cast<unsigned>(rows));
    for (std::size_t i = 0; i < rows * kNumPixels; ++i) {
      pixels.push_back(static_cast<std::uint8_t>(random() % 3 == 0 ? random() % 256 : 0));
    }
    // Pixels that no image inks.
    for (std::size_t row = 0; row < rows; ++row) {
      std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>(row * kNumPixels), 60, 0);
    }
  }
  double Value(std::size_t row, std::size_t pixel) const {
    return static_cast<double>(static_cast<float>(pixels[row * kNumPixels + pixel]) / 255.0F);
  }
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;
};

}  // namespace

TEST_CASE_TEMPLATE("the first layer's product and step are those of plain loops", T, float,
                   double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const std::size_t rows : kRows) {
      const Images images(rows);
      const bnbench::ImageTable table({images.pixels, images.labels}, "images");
      bnbench::Batch batch(rows);
      std::vector<std::uint32_t> order(rows);
      for (std::size_t i = 0; i < rows; ++i) order[i] = static_cast<std::uint32_t>(i);
      batch.Gather(table, order);
      kernels.input_pair_ink(batch.images().ink, rows, batch.pair_ink());
      constexpr std::size_t kWidth = 48;
      std::mt19937 random(1);
      Buffer<T> weights = Draw<T>(&random, kNumPixels * kWidth);
      const Buffer<T> bias = Draw<T>(&random, kWidth);
      const Buffer<T> gradient = Draw<T>(&random, rows * kWidth);

      Buffer<T> out(rows * kWidth);
      kernels.input_forward(batch.images(), weights.data(), bias.data(), kWidth, out.data());
      Values expected(rows * kWidth);
      Values weight_gradient(kNumPixels * kWidth);
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t c = 0; c < kWidth; ++c) {
          double sum = static_cast<double>(bias[c]);
          for (std::size_t p = 0; p < kNumPixels; ++p) {
            const double value = images.Value(row, p);
            sum += value * static_cast<double>(weights[p * kWidth + c]);
            weight_gradient[p * kWidth + c] +=
                value * static_cast<double>(gradient[row * kWidth + c]);
          }
          expected[row * kWidth + c] = sum;
        }
      }
      CheckClose(out, expected);

      for (const Values& step : kSteps) {
        Buffer<T> velocity = Draw<T>(&random, kNumPixels * kWidth);
        Values stepped = Copy(weights);
        Values stepped_velocity = Copy(velocity);
        StepPlainly(weight_gradient, step, &stepped, &stepped_velocity);
        Buffer<T> partial(kNumPixels * kWidth);
        kernels.input_update(batch.images(), gradient.data(), kWidth, MakeStep<T>(step),
                             {weights.data(), velocity.data()}, partial.data());
        CheckClose(weights, stepped);
        CheckClose(velocity, stepped_velocity);
      }
    }
  });
}

TEST_CASE_TEMPLATE("the other layers' product, step and transpose are those of plain loops", T,
                   float, double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const std::size_t rows : kRows) {
      for (const std::size_t width : kWidths) {
        constexpr std::size_t kInner = 21;
        constexpr std::size_t kInWidth = 32;
        std::mt19937 random(2);
        const Buffer<T> in = Draw<T>(&random, rows * kInWidth);
        Buffer<T> weights = Draw<T>(&random, kInner * width);
        const Buffer<T> bias = Draw<T>(&random, width);
        const Buffer<T> gradient = Draw<T>(&random, rows * width);
        for (const bool has_bias : {false, true}) {
          Buffer<T> out(rows * width);
          kernels.dense_forward(in.data(), kInWidth, rows, kInner, weights.data(),
                                has_bias ? bias.data() : nullptr, width, out.data());
          Values expected(rows * width);
          for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t c = 0; c < width; ++c) {
              double sum = has_bias ? static_cast<double>(bias[c]) : 0;
              for (std::size_t i = 0; i < kInner; ++i) {
                sum += static_cast<double>(in[row * kInWidth + i]) *
                       static_cast<double>(weights[i * width + c]);
              }
              expected[row * width + c] = sum;
            }
          }
          CheckClose(out, expected);
        }

        Buffer<T> transposed(width * kInWidth);
        kernels.transpose(weights.data(), width, kInner, width, transposed.data(), kInWidth);
        Values expected(width * kInWidth);
        for (std::size_t i = 0; i < kInner; ++i) {
          for (std::size_t c = 0; c < width; ++c) {
            expected[c * kInWidth + i] = static_cast<double>(weights[i * width + c]);
          }
        }
        CheckClose(transposed, expected);

        Values weight_gradient(kInner * width);
        for (std::size_t row = 0; row < rows; ++row) {
          for (std::size_t i = 0; i < kInner; ++i) {
            for (std::size_t c = 0; c < width; ++c) {
              weight_gradient[i * width + c] += static_cast<double>(in[row * kInWidth + i]) *
                                                static_cast<double>(gradient[row * width + c]);
            }
          }
        }
        for (const Values& step : kSteps) {
          Buffer<T> velocity = Draw<T>(&random, kInner * width);
          Values stepped = Copy(weights);
          Values stepped_velocity = Copy(velocity);
          StepPlainly(weight_gradient, step, &stepped, &stepped_velocity);
          kernels.dense_update(in.data(), kInWidth, rows, kInner, gradient.data(), width,
                               MakeStep<T>(step), {weights.data(), velocity.data()});
          CheckClose(weights, stepped);
          CheckClose(velocity, stepped_velocity);
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("steps of rows of parameters are those of plain loops", T, float, double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const std::size_t rows : kRows) {
      for (const std::size_t width : kWidths) {
        std::mt19937 random(3);
        const Buffer<T> gradient = Draw<T>(&random, rows * width);
        Values sums(width);
        Values first_row(width);
        for (std::size_t i = 0; i < rows * width; ++i) {
          sums[i % width] += static_cast<double>(gradient[i]);
          if (i < width) first_row[i] = static_cast<double>(gradient[i]);
        }
        for (const Values& step : kSteps) {
          for (const bool is_bias : {false, true}) {
            Buffer<T> values = Draw<T>(&random, width);
            Buffer<T> velocity = Draw<T>(&random, width);
            Values stepped = Copy(values);
            Values stepped_velocity = Copy(velocity);
            StepPlainly(is_bias ? sums : first_row, step, &stepped, &stepped_velocity);
            const bnbench::Trainable<T> trainable{values.data(), velocity.data()};
            if (is_bias) {
              kernels.bias_update(gradient.data(), rows, width, MakeStep<T>(step), trainable);
            } else {
              kernels.vector_update(gradient.data(), width, MakeStep<T>(step), trainable);
            }
            CheckClose(values, stepped);
            CheckClose(velocity, stepped_velocity);
          }
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("batch normalization is that of plain loops", T, float, double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const std::size_t rows : {2U, 7U, 70U}) {
      for (const std::size_t width : kWidths) {
        std::mt19937 random(4);
        // A mean that is large beside the deviation.
        const Buffer<T> in = Draw<T>(&random, rows * width, 10, 1);
        const Buffer<T> gain = Draw<T>(&random, width);
        const Buffer<T> shift = Draw<T>(&random, width);
        Buffer<T> gradient = Draw<T>(&random, rows * width);
        const Values given = Copy(gradient);
        const auto n = static_cast<double>(rows);
        Values mean(width), variance(width), scale(width);
        for (std::size_t i = 0; i < rows * width; ++i) {
          mean[i % width] += static_cast<double>(in[i]) / n;
        }
        for (std::size_t i = 0; i < rows * width; ++i) {
          variance[i % width] += std::pow(static_cast<double>(in[i]) - mean[i % width], 2) / n;
        }
        Buffer<T> found_mean(width), found_variance(width), found_scale(width);
        kernels.column_statistics(in.data(), rows, width, found_mean.data(), found_variance.data());
        CheckClose(found_mean, mean);
        CheckClose(found_variance, variance);

        for (std::size_t c = 0; c < width; ++c) {
          found_scale[c] = T{1} / std::sqrt(found_variance[c] + static_cast<T>(0.1));
          scale[c] = 1 / std::sqrt(variance[c] + 0.1);
        }
        Buffer<T> standard(rows * width), out(rows * width);
        kernels.normalize(in.data(), rows, width, found_mean.data(), found_scale.data(),
                          gain.data(), shift.data(), standard.data(), out.data());
        Values expected_standard(rows * width), expected(rows * width);
        Values gain_gradient(width), shift_gradient(width);
        for (std::size_t i = 0; i < rows * width; ++i) {
          const std::size_t c = i % width;
          expected_standard[i] = (static_cast<double>(in[i]) - mean[c]) * scale[c];
          expected[i] =
              expected_standard[i] * static_cast<double>(gain[c]) + static_cast<double>(shift[c]);
          gain_gradient[c] += given[i] * expected_standard[i];
          shift_gradient[c] += given[i];
        }
        CheckClose(standard, expected_standard);
        CheckClose(out, expected);

        Buffer<T> found_gain(width), found_shift(width);
        kernels.normalize_backward(gradient.data(), standard.data(), rows, width,
                                   found_scale.data(), gain.data(), found_gain.data(),
                                   found_shift.data());
        for (std::size_t i = 0; i < rows * width; ++i) {
          const std::size_t c = i % width;
          expected[i] =
              static_cast<double>(gain[c]) * scale[c] *
              (given[i] - shift_gradient[c] / n - expected_standard[i] * gain_gradient[c] / n);
        }
        CheckClose(gradient, expected);
        CheckClose(found_gain, gain_gradient);
        CheckClose(found_shift, shift_gradient);
      }
    }
  });
}

TEST_CASE_TEMPLATE("activations and their slopes are those of the standard library", T, float,
                   double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const double spread : {0.01, 1.0, 30.0}) {
      for (const Activation activation :
           {Activation::kRelu, Activation::kSigmoid, Activation::kTanh}) {
        std::mt19937 random(5);
        Buffer<T> values = Draw<T>(&random, 160, 0, spread);
        Buffer<T> gradient = Draw<T>(&random, 160);
        Values expected = Copy(values);
        Values slopes = Copy(gradient);
        for (std::size_t i = 0; i < 160; ++i) {
          double& x = expected[i];
          switch (activation) {
            case Activation::kRelu:
              x = std::max(x, 0.0);
              slopes[i] *= x > 0 ? 1 : 0;
              break;
            case Activation::kSigmoid:
              x = 1 / (1 + std::exp(-x));
              slopes[i] *= x * (1 - x);
              break;
            case Activation::kTanh:
              x = std::tanh(x);
              slopes[i] *= 1 - x * x;
              break;
          }
        }
        kernels.activate(activation, values.data(), 160);
        CheckClose(values, expected);
        kernels.activate_backward(activation, values.data(), gradient.data(), 160);
        CheckClose(gradient, slopes);
      }
    }
  });
}

TEST_CASE_TEMPLATE("the loss, its gradient and the hits are those of plain loops", T, float,
                   double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const std::size_t rows : kRows) {
      constexpr std::size_t kWidth = 16;
      std::mt19937 random(6);
      Buffer<T> logits = Draw<T>(&random, rows * kWidth, 0, 20);
      std::vector<std::uint8_t> labels(rows);
      for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(random() % kNumOutputs);
      double expected_loss = 0;
      std::size_t expected_correct = 0;
      Values expected(rows * kWidth);
      for (std::size_t row = 0; row < rows; ++row) {
        T* const first = logits.data() + row * kWidth;
        if (row == 3) first[4] = first[6] = 50;  // of equal logits the first counts
        if (row == 3) labels[row] = 6;
        double sum = 0;
        for (std::size_t c = 0; c < kNumOutputs; ++c)
          sum += std::exp(static_cast<double>(first[c]));
        expected_loss += std::log(sum) - static_cast<double>(first[labels[row]]);
        expected_correct +=
            std::max_element(first, first + kNumOutputs) - first == labels[row] ? 1 : 0;
        for (std::size_t c = 0; c < kNumOutputs; ++c) {
          const double hit = c == labels[row] ? 1 : 0;
          expected[row * kWidth + c] =
              (std::exp(static_cast<double>(first[c])) / sum - hit) / static_cast<double>(rows);
        }
      }
      Buffer<T> gradient = Draw<T>(&random, rows * kWidth);
      std::size_t correct = 0;
      const double loss = kernels.cross_entropy(logits.data(), labels.data(), rows, kWidth,
                                                gradient.data(), &correct);
      CHECK(loss == doctest::Approx(expected_loss).epsilon(1e-5));
      CHECK(correct == expected_correct);
      CheckClose(gradient, expected);
    }
  });
}
