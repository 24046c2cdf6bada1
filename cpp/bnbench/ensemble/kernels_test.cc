// Every kernel of every instruction set against plain loops in binary64.

#include "bnbench/ensemble/kernels.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "bnbench/ensemble/buffer.h"
#include "bnbench/ensemble/dispatch.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/inputs.h"

using bnbench::Activation;
using bnbench::Buffer;
using bnbench::KernelTable;
using bnbench::kGroupRows;
using bnbench::Step;
using bnbench::StepRule;
using Values = std::vector<double>;

namespace {

// Widths of one vector up to more than a panel of any set, and rows of one to several tiles.
constexpr std::size_t kWidths[] = {16, 48, 80};
constexpr std::size_t kRows[] = {1, 7, 64, 70};
// Rows and numbers of inputs: an odd one has a last byte without a neighbor, 112 fill two words.
constexpr std::pair<std::size_t, std::size_t> kFirstLayers[] = {
    {1, 784}, {7, 784}, {64, 784}, {70, 784}, {70, 1}, {7, 63}, {64, 112}, {130, 113}};
struct LossCase {
  std::size_t rows;
  std::size_t classes;
  std::size_t width;
  double smoothing;
};
constexpr LossCase kLosses[] = {{1, 10, 16, 0},      {7, 10, 16, 0.25}, {64, 10, 16, 0},
                                {70, 10, 16, 0.25},  {3, 2, 16, 0.25},  {70, 47, 48, 0},
                                {7, 300, 304, 0.25}, {64, 16, 16, 0}};

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

// Parameters under test, with what an optimizer keeps of them, and the same in plain loops.
template <class T>
struct Stepped {
  Stepped(std::mt19937* random, Buffer<T> start)
      : weights(std::move(start)),
        velocity(Draw<T>(random, weights.size())),
        square(Draw<T>(random, weights.size(), 1, 0.5)),
        plain_weights(Copy(weights)),
        plain_velocity(Copy(velocity)),
        plain_square(Copy(square)) {}

  bnbench::Trainable<T> trainable() { return {weights.data(), velocity.data(), square.data()}; }

  void StepPlainly(const Values& gradient, const Step<double>& step) {
    for (std::size_t i = 0; i < plain_weights.size(); ++i) {
      double& w = plain_weights[i];
      double& v = plain_velocity[i];
      double& s = plain_square[i];
      const double g = gradient[i] + step.weight_decay * w;
      if (step.rule == StepRule::kAdam) {
        v += step.velocity_share * (g - v);
        s = step.square_decay * s + step.square_share * g * g;
        w = step.kept * w - step.learning_rate * v / (std::sqrt(s) + step.epsilon);
      } else {
        const double moved = g + step.momentum * v;
        if (step.momentum != 0) v = moved;
        w -= step.learning_rate * (step.is_nesterov ? g + step.momentum * moved : moved);
      }
    }
  }

  void Check() const {
    CheckClose(weights, plain_weights);
    CheckClose(velocity, plain_velocity);
    CheckClose(square, plain_square);
  }

  Buffer<T> weights;
  Buffer<T> velocity;
  Buffer<T> square;
  Values plain_weights;
  Values plain_velocity;
  Values plain_square;
};

const Step<double> kSteps[] = {
    {.learning_rate = 0.25},
    {.learning_rate = 0.25, .momentum = 0.5},
    {.learning_rate = 0.25, .weight_decay = 0.125},
    {.learning_rate = 0.25, .momentum = 0.5, .weight_decay = 0.125},
    {.learning_rate = 0.25, .momentum = 0.5, .weight_decay = 0.125, .is_nesterov = true},
    {.rule = StepRule::kAdam,
     .learning_rate = 0.25,
     .weight_decay = 0.125,
     .velocity_share = 0.25,
     .square_decay = 0.75,
     .square_share = 0.125,
     .epsilon = 0.5},
    {.rule = StepRule::kAdam,
     .learning_rate = 0.25,
     .velocity_share = 0.25,
     .square_decay = 0.75,
     .square_share = 0.125,
     .epsilon = 0.5,
     .kept = 0.5},
};

template <class T>
Step<T> Round(const Step<double>& step) {
  return {.rule = step.rule,
          .learning_rate = static_cast<T>(step.learning_rate),
          .momentum = static_cast<T>(step.momentum),
          .weight_decay = static_cast<T>(step.weight_decay),
          .is_nesterov = step.is_nesterov,
          .velocity_share = static_cast<T>(step.velocity_share),
          .square_decay = static_cast<T>(step.square_decay),
          .square_share = static_cast<T>(step.square_share),
          .epsilon = static_cast<T>(step.epsilon),
          .kept = static_cast<T>(step.kept)};
}

struct Images {
  Images(std::size_t rows, std::size_t size) : num_pixels(size), labels(rows, 0) {
    std::mt19937 random(static_cast<unsigned>(rows));
    for (std::size_t i = 0; i < rows * num_pixels; ++i) {
      pixels.push_back(static_cast<std::uint8_t>(random() % 3 == 0 ? random() % 256 : 0));
    }
    // Pixels that no image inks.
    for (std::size_t row = 0; row < rows; ++row) {
      std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>(row * num_pixels),
                  std::min<std::size_t>(num_pixels / 2, 60), 0);
    }
  }
  double Value(std::size_t row, std::size_t pixel) const {
    return static_cast<double>(static_cast<float>(pixels[row * num_pixels + pixel]) / 255.0F);
  }
  std::size_t num_pixels;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
};

}  // namespace

TEST_CASE_TEMPLATE("the first layer's product and step are those of plain loops", T, float,
                   double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const auto& [rows, num_pixels] : kFirstLayers) {
      const Images images(rows, num_pixels);
      const bnbench::InputTable table({images.pixels, images.labels}, {num_pixels, 10}, "images");
      bnbench::Batch<T> batch(table, rows);
      std::vector<std::uint32_t> order(rows);
      for (std::size_t i = 0; i < rows; ++i) order[i] = static_cast<std::uint32_t>(i);
      batch.Gather(table, order);
      kernels.input_pair_ink(batch.inked().ink, rows, batch.inked().num_words, batch.pair_ink());
      constexpr std::size_t kWidth = 48;
      std::mt19937 random(1);
      // A row for the second of the last two, if their number is odd.
      const std::size_t num_weights = (num_pixels + num_pixels % 2) * kWidth;
      const Buffer<T> weights = Draw<T>(&random, num_weights);
      const Buffer<T> bias = Draw<T>(&random, kWidth);
      const Buffer<T> gradient = Draw<T>(&random, rows * kWidth);

      Buffer<T> out(rows * kWidth);
      kernels.input_forward(batch.inked(), weights.data(), bias.data(), kWidth, out.data());
      Values expected(rows * kWidth);
      Values weight_gradient(num_weights);
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t c = 0; c < kWidth; ++c) {
          double sum = static_cast<double>(bias[c]);
          for (std::size_t p = 0; p < num_pixels; ++p) {
            const double value = images.Value(row, p);
            sum += value * static_cast<double>(weights[p * kWidth + c]);
            weight_gradient[p * kWidth + c] +=
                value * static_cast<double>(gradient[row * kWidth + c]);
          }
          expected[row * kWidth + c] = sum;
        }
      }
      CheckClose(out, expected);

      for (const Step<double>& step : kSteps) {
        Stepped<T> stepped(&random, Draw<T>(&random, num_weights));
        stepped.StepPlainly(weight_gradient, step);
        Buffer<T> partial(num_weights);
        kernels.input_update(batch.inked(), gradient.data(), kWidth, Round<T>(step),
                             stepped.trainable(), partial.data());
        stepped.Check();
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
        const Buffer<T> weights = Draw<T>(&random, kInner * width);
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
        for (const Step<double>& step : kSteps) {
          Stepped<T> stepped(&random, Draw<T>(&random, kInner * width));
          stepped.StepPlainly(weight_gradient, step);
          kernels.dense_update(in.data(), kInWidth, rows, kInner, gradient.data(), width,
                               Round<T>(step), stepped.trainable());
          stepped.Check();
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
        for (const Step<double>& step : kSteps) {
          for (const bool is_bias : {false, true}) {
            Stepped<T> stepped(&random, Draw<T>(&random, width));
            stepped.StepPlainly(is_bias ? sums : first_row, step);
            if (is_bias) {
              kernels.bias_update(gradient.data(), rows, width, Round<T>(step),
                                  stepped.trainable());
            } else {
              kernels.vector_update(gradient.data(), width, Round<T>(step), stepped.trainable());
            }
            stepped.Check();
          }
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("what has decayed to next to nothing is 0", T, float, double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const StepRule rule : {StepRule::kSgd, StepRule::kAdam}) {
      Buffer<T> gradient(16), weights(16), velocity(16), square(16);
      velocity[0] = static_cast<T>(1e-35);
      velocity[1] = static_cast<T>(-1e-35);
      velocity[2] = static_cast<T>(1e-30);
      std::copy_n(velocity.data(), 3, square.data());
      kernels.vector_update(gradient.data(), 16,
                            {.rule = rule,
                             .momentum = static_cast<T>(0.5),
                             .velocity_share = static_cast<T>(0.5),
                             .square_decay = static_cast<T>(0.5),
                             .square_share = static_cast<T>(0.5),
                             .epsilon = 1},
                            {weights.data(), velocity.data(), square.data()});
      CHECK(velocity[0] == 0);
      CHECK(velocity[1] == 0);
      CHECK(velocity[2] == doctest::Approx(5e-31).epsilon(1e-6).scale(1e-31));
      if (rule == StepRule::kAdam) CHECK(square[0] == 0);
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

TEST_CASE_TEMPLATE("normalization of rows is that of plain loops", T, float, double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const std::size_t units : {2U, 21U, 48U, 80U}) {
      for (const bool centers : {false, true}) {
        constexpr std::size_t kNumRows = 7;
        const std::size_t width = bnbench::PaddedWidth(units);
        std::mt19937 random(7);
        // What stands in the padding must not count.
        const Buffer<T> in = Draw<T>(&random, kNumRows * width, 1, 1);
        Buffer<T> gain = Draw<T>(&random, width);
        Buffer<T> shift = Draw<T>(&random, width);
        Buffer<T> gradient = Draw<T>(&random, kNumRows * width);
        for (std::size_t c = units; c < width; ++c) {
          gain[c] = shift[c] = 0;
          for (std::size_t row = 0; row < kNumRows; ++row) gradient[row * width + c] = 0;
        }
        Values expected(kNumRows * width), expected_gradient(kNumRows * width);
        Values gain_gradient(width), shift_gradient(width);
        for (std::size_t row = 0; row < kNumRows; ++row) {
          const auto n = static_cast<double>(units);
          const auto value = [&](const Buffer<T>& buffer, std::size_t c) {
            return static_cast<double>(buffer[row * width + c]);
          };
          double mean = 0, variance = 0, mean_h = 0, mean_hs = 0;
          for (std::size_t c = 0; c < units; ++c) mean += centers ? value(in, c) / n : 0;
          for (std::size_t c = 0; c < units; ++c) variance += std::pow(value(in, c) - mean, 2) / n;
          const double scale = 1 / std::sqrt(variance + bnbench::kNormEpsilon);
          for (std::size_t c = 0; c < units; ++c) {
            const double s = (value(in, c) - mean) * scale;
            const double h = value(gradient, c) * static_cast<double>(gain[c]);
            expected[row * width + c] =
                s * static_cast<double>(gain[c]) + static_cast<double>(shift[c]);
            gain_gradient[c] += value(gradient, c) * s;
            shift_gradient[c] += value(gradient, c);
            mean_h += centers ? h / n : 0;
            mean_hs += h * s / n;
          }
          for (std::size_t c = 0; c < units; ++c) {
            const double s = (value(in, c) - mean) * scale;
            const double h = value(gradient, c) * static_cast<double>(gain[c]);
            expected_gradient[row * width + c] = scale * (h - mean_h - s * mean_hs);
          }
        }
        Buffer<T> standard(kNumRows * width), out(kNumRows * width), scale(kNumRows);
        kernels.normalize_rows(in.data(), kNumRows, width, units, centers, gain.data(),
                               shift.data(), standard.data(), scale.data(), out.data());
        CheckClose(out, expected);
        Buffer<T> found_gain(width), found_shift(width);
        kernels.normalize_rows_backward(gradient.data(), standard.data(), kNumRows, width, units,
                                        centers, scale.data(), gain.data(), found_gain.data(),
                                        found_shift.data());
        CheckClose(gradient, expected_gradient);
        CheckClose(found_gain, gain_gradient);
        CheckClose(found_shift, shift_gradient);
      }
    }
  });
}

TEST_CASE_TEMPLATE("a mean moves by its share of the way to the values", T, float, double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const double share : {0.001, 0.25, 1.0}) {
      std::mt19937 random(8);
      const Buffer<T> values = Draw<T>(&random, 80);
      Buffer<T> mean = Draw<T>(&random, 80);
      Values expected = Copy(mean);
      for (std::size_t i = 0; i < 80; ++i) {
        expected[i] += share * (static_cast<double>(values[i]) - expected[i]);
      }
      kernels.blend(values.data(), 80, static_cast<T>(share), mean.data());
      CheckClose(mean, expected);
      if (share == 1) CHECK(Copy(mean) == Copy(values));
    }
  });
}

TEST_CASE_TEMPLATE("activations and their slopes are those of the standard library", T, float,
                   double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const double spread : {0.01, 1.0, 30.0}) {
      for (const Activation activation : {Activation::kRelu, Activation::kGelu, Activation::kSilu,
                                          Activation::kSigmoid, Activation::kTanh}) {
        std::mt19937 random(5);
        const Buffer<T> values = Draw<T>(&random, 160, 0, spread);
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
            case Activation::kGelu: {
              const double probability = std::erfc(-x / std::sqrt(2.0)) / 2;
              const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
              slopes[i] *= probability + x * density;
              x *= probability;
              break;
            }
            case Activation::kSilu: {
              const double sigmoid = 1 / (1 + std::exp(-x));
              slopes[i] *= sigmoid * (1 + x * (1 - sigmoid));
              x *= sigmoid;
              break;
            }
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
        Buffer<T> out(160);
        kernels.activate(activation, values.data(), out.data(), 160);
        CheckClose(out, expected);
        kernels.activate_backward(activation, values.data(), out.data(), gradient.data(), 160);
        CheckClose(gradient, slopes);
      }
    }
  });
}

TEST_CASE_TEMPLATE("the loss, its gradient and the hits are those of plain loops", T, float,
                   double) {
  ForEachSet<T>([](const KernelTable<T>& kernels) {
    for (const auto& [rows, classes, width, smoothing] : kLosses) {
      std::mt19937 random(6);
      Buffer<T> logits = Draw<T>(&random, rows * width, 0, 20);
      std::vector<std::uint32_t> labels(rows);
      for (std::uint32_t& label : labels) label = static_cast<std::uint32_t>(random() % classes);
      double expected_loss = 0;
      std::size_t expected_correct = 0;
      Values expected(rows * width);
      for (std::size_t row = 0; row < rows; ++row) {
        T* const first = logits.data() + row * width;
        if (row == 3) first[4] = first[6] = 50;  // of equal logits the first counts
        if (row == 3) labels[row] = 6;
        double sum = 0;
        for (std::size_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(first[c]));
        for (std::size_t c = 0; c < classes; ++c) {
          const double target =
              (c == labels[row] ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
          expected_loss += target * (std::log(sum) - static_cast<double>(first[c]));
        }
        expected_correct +=
            std::max_element(first, first + classes) - first == std::ptrdiff_t{labels[row]} ? 1 : 0;
        for (std::size_t c = 0; c < classes; ++c) {
          const double target =
              (c == labels[row] ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
          expected[row * width + c] =
              (std::exp(static_cast<double>(first[c])) / sum - target) / static_cast<double>(rows);
        }
      }
      Buffer<T> gradient = Draw<T>(&random, rows * width);
      std::size_t correct = 0;
      const double loss =
          kernels.cross_entropy(logits.data(), labels.data(), rows, classes, width,
                                static_cast<T>(smoothing), gradient.data(), &correct);
      CHECK(loss == doctest::Approx(expected_loss).epsilon(1e-5));
      CHECK(correct == expected_correct);
      CheckClose(gradient, expected);
    }
  });
}
