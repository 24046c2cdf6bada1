// Pooling of images. Averages are computed in binary64 and rounded once.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "bnbench/checked.h"
#include "bnbench/portable/operators.h"

namespace bnbench::pt2 {
namespace {

using Pair = std::array<std::size_t, 2>;

// The windows of a pooling: two numbers for height and width each.
struct Pooling {
  Pair size, kernel, stride, padding, dilation, out;
  std::size_t channels;
};

Pair ReadPair(Binding& b, std::string_view name, const std::vector<std::int64_t>& otherwise,
              std::int64_t min) {
  std::vector<std::int64_t> values = b.Integers(name, otherwise);
  if (values.size() == 1) values.push_back(values[0]);
  b.Require(values.size() == 2 &&
                std::ranges::all_of(
                    values, [&](std::int64_t value) { return value >= min && value <= (1 << 20); }),
            "two numbers " + std::string(name), "others");
  return {static_cast<std::size_t>(values[0]), static_cast<std::size_t>(values[1])};
}

Pooling ReadImages(Binding& b, const Value& input) {
  b.Require(input.varies && input.shape.size() == 3 && input.size() > 0,
            "images of shape (channels, height, width)", NameShape(input.shape));
  return {.size = {input.shape[1], input.shape[2]},
          .kernel = {},
          .stride = {},
          .padding = {},
          .dilation = {1, 1},
          .out = {},
          .channels = input.shape[0]};
}

Pooling ReadPooling(Binding& b, const Value& input) {
  Pooling p = ReadImages(b, input);
  p.kernel = ReadPair(b, "kernel_size", {}, 1);
  p.stride = p.kernel;
  if (!b.Integers("stride", {}).empty()) p.stride = ReadPair(b, "stride", {}, 1);
  p.padding = ReadPair(b, "padding", {0, 0}, 0);
  p.dilation = ReadPair(b, "dilation", {1, 1}, 1);
  b.Require(!b.Flag("ceil_mode", false), "no window beyond the image", "ceil_mode");
  for (std::size_t d = 0; d < 2; ++d) {
    const std::size_t reach = (p.kernel[d] - 1) * p.dilation[d] + 1;
    const std::size_t padded = p.size[d] + 2 * p.padding[d];
    b.Require(2 * p.padding[d] <= p.kernel[d], "a padding of at most half the kernel", "more");
    b.Require(reach <= padded, "an image that is larger than the window", "a smaller one");
    p.out[d] = (padded - reach) / p.stride[d] + 1;
  }
  return p;
}

// Emits a pooling whose result for the output at (y, x) of a plane is pool(plane, y, x).
template <class Pool>
void EmitPooling(Binding& b, const Value& input, const Pooling& p, const Pool& pool) {
  b.Emit(
      {p.channels, p.out[0], p.out[1]}, input.type, {&input},
      [p, pool](std::size_t count, std::span<const float* const> operands, float* result) {
        const float* plane = operands[0];
        for (std::size_t i = 0; i < count * p.channels; ++i, plane += p.size[0] * p.size[1]) {
          for (std::size_t y = 0; y < p.out[0]; ++y) {
            for (std::size_t x = 0; x < p.out[1]; ++x) *result++ = pool(plane, y, x);
          }
        }
      },
      Multiply(p.kernel[0], p.kernel[1]));
}

void BindMaxPool(Binding& b) {
  const Value& input = b.FloatTensor("self");
  const Pooling p = ReadPooling(b, input);
  EmitPooling(b, input, p, [p](const float* plane, std::size_t out_y, std::size_t out_x) {
    float largest = -std::numeric_limits<float>::infinity();
    for (std::size_t ky = 0; ky < p.kernel[0]; ++ky) {
      // Outside the image, also above, where the difference wraps round.
      const std::size_t y = out_y * p.stride[0] + ky * p.dilation[0] - p.padding[0];
      if (y >= p.size[0]) continue;
      for (std::size_t kx = 0; kx < p.kernel[1]; ++kx) {
        const std::size_t x = out_x * p.stride[1] + kx * p.dilation[1] - p.padding[1];
        if (x >= p.size[1]) continue;
        const float value = plane[y * p.size[1] + x];
        if (value > largest || std::isnan(value)) largest = value;
      }
    }
    return largest;
  });
}

void BindAveragePool(Binding& b) {
  const Value& input = b.FloatTensor("self");
  const Pooling p = ReadPooling(b, input);
  const bool counts_padding = b.Flag("count_include_pad", true);
  if (!b.IsNone("divisor_override")) b.Fail("no divisor of its own", "one");
  b.Ignore("divisor_override");
  EmitPooling(b, input, p,
              [p, counts_padding](const float* plane, std::size_t out_y, std::size_t out_x) {
                double sum = 0;
                std::size_t count = 0;
                for (std::size_t ky = 0; ky < p.kernel[0]; ++ky) {
                  const std::size_t y = out_y * p.stride[0] + ky - p.padding[0];
                  if (y >= p.size[0]) continue;
                  for (std::size_t kx = 0; kx < p.kernel[1]; ++kx) {
                    const std::size_t x = out_x * p.stride[1] + kx - p.padding[1];
                    if (x >= p.size[1]) continue;
                    sum += plane[y * p.size[1] + x];
                    ++count;
                  }
                }
                if (counts_padding) count = p.kernel[0] * p.kernel[1];
                return static_cast<float>(sum / static_cast<double>(count));
              });
}

void BindAdaptiveAveragePool(Binding& b) {
  const Value& input = b.FloatTensor("self");
  Pooling p = ReadImages(b, input);
  p.out = ReadPair(b, "output_size", {}, 1);
  for (std::size_t d = 0; d < 2; ++d) p.kernel[d] = p.size[d] / p.out[d] + 2;  // at most
  EmitPooling(b, input, p, [p](const float* plane, std::size_t out_y, std::size_t out_x) {
    const auto first = [&](std::size_t i, std::size_t d) { return i * p.size[d] / p.out[d]; };
    const auto last = [&](std::size_t i, std::size_t d) {
      return ((i + 1) * p.size[d] + p.out[d] - 1) / p.out[d];
    };
    double sum = 0;
    for (std::size_t y = first(out_y, 0); y < last(out_y, 0); ++y) {
      for (std::size_t x = first(out_x, 1); x < last(out_x, 1); ++x) {
        sum += plane[y * p.size[1] + x];
      }
    }
    const std::size_t count =
        (last(out_y, 0) - first(out_y, 0)) * (last(out_x, 1) - first(out_x, 1));
    return static_cast<float>(sum / static_cast<double>(count));
  });
}

}  // namespace

std::vector<Operator> ListPoolingOperators() {
  return {{"max_pool2d.default", BindMaxPool},
          {"max_pool2d_with_indices.default", BindMaxPool},
          {"avg_pool2d.default", BindAveragePool},
          {"adaptive_avg_pool2d.default", BindAdaptiveAveragePool},
          {"_adaptive_avg_pool2d.default", BindAdaptiveAveragePool}};
}

}  // namespace bnbench::pt2
