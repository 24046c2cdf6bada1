// Normalizations, means, softmax and argmax. They compute in binary64 and round each result once.
#include <algorithm>
#include <cmath>
#include <limits>

#include "bnbench/portable/operators.h"

namespace bnbench::pt2 {
namespace {

// An affine map in binary64 for each channel: (x - mean) * scale + shift.
struct ChannelMap {
  std::vector<double> mean, scale, shift;
};

void EmitBatchNorm(Binding& b, const Value& input) {
  const Value* weight = b.OptionalTensor("weight");
  const Value* bias = b.OptionalTensor("bias");
  const Value& mean = b.Tensor("running_mean");
  const Value& variance = b.Tensor("running_var");
  const double eps = b.Number("eps");
  b.Ignore("momentum");  // of training
  b.Require(input.varies && !input.shape.empty(), "values with channels", "none");
  const std::size_t channels = input.shape[0];
  for (const Value* value : {weight, bias, &mean, &variance}) {
    b.Require(value == nullptr || (value->shape == Shape{channels} && value->is_float()),
              "a number for each channel", "another shape");
  }
  ChannelMap map{std::vector<double>(channels), std::vector<double>(channels, 1),
                 std::vector<double>(channels)};
  for (std::size_t c = 0; c < channels; ++c) {
    map.mean[c] = b.Constant(&mean).get()[c];
    if (weight != nullptr) map.scale[c] = b.Constant(weight).get()[c];
    map.scale[c] /= std::sqrt(b.Constant(&variance).get()[c] + eps);
    if (bias != nullptr) map.shift[c] = b.Constant(bias).get()[c];
  }
  b.Emit(input.shape, input.type, {&input},
         [map = std::move(map), size = CountElements(input.shape, 1, input.shape.size())](
             std::size_t count, std::span<const float* const> operands, float* result) {
           const float* values = operands[0];
           for (std::size_t i = 0; i < count * map.mean.size(); ++i) {
             const std::size_t c = i % map.mean.size();
             for (std::size_t j = 0; j < size; ++j) {
               *result++ =
                   static_cast<float>((*values++ - map.mean[c]) * map.scale[c] + map.shift[c]);
             }
           }
         });
}

void BindBatchNorm(Binding& b) {
  const Value& input = b.FloatTensor("input");
  b.Require(!b.Flag("training", false), "batch normalization in evaluation mode",
            "one exported in training mode");
  b.Ignore("cudnn_enabled");
  EmitBatchNorm(b, input);
}

// torch's name for the one in evaluation mode after run_decompositions().
void BindDecomposedBatchNorm(Binding& b) { EmitBatchNorm(b, b.FloatTensor("input")); }

// Of layer normalization, and of RMS normalization, which subtracts no mean.
void EmitRowNorm(Binding& b, const Value& input, bool subtracts_mean, const Value* bias,
                 double eps) {
  const Value* weight = b.OptionalTensor("weight");
  Shape normalized;
  for (const std::int64_t n : b.Integers("normalized_shape", {})) {
    normalized.push_back(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)));
  }
  const std::size_t rank = normalized.size();
  b.Require(rank > 0 && rank <= input.shape.size() &&
                std::equal(normalized.begin(), normalized.end(),
                           input.shape.end() - static_cast<std::ptrdiff_t>(rank)),
            "to normalize the last dimensions", NameShape(normalized));
  for (const Value* value : {weight, bias}) {
    b.Require(value == nullptr || (value->shape == normalized && value->is_float()),
              "a number for each value", "another shape");
  }
  const std::size_t size = CountElements(normalized);
  b.Require(size > 0, "at least one value to normalize", "none");
  b.Emit(input.shape, input.type, {&input},
         [size, rows = input.size() / size, gains = b.Constant(weight), shifts = b.Constant(bias),
          subtracts_mean,
          eps](std::size_t count, std::span<const float* const> operands, float* result) {
           const float* values = operands[0];
           for (std::size_t row = 0; row < count * rows; ++row, values += size, result += size) {
             double mean = 0;
             if (subtracts_mean) {
               for (std::size_t i = 0; i < size; ++i) mean += values[i];
               mean /= static_cast<double>(size);
             }
             double square = 0;
             for (std::size_t i = 0; i < size; ++i) {
               square += (values[i] - mean) * (values[i] - mean);
             }
             const double scale = 1 / std::sqrt(square / static_cast<double>(size) + eps);
             for (std::size_t i = 0; i < size; ++i) {
               double value = (values[i] - mean) * scale;
               if (gains) value *= gains.get()[i];
               if (shifts) value += shifts.get()[i];
               result[i] = static_cast<float>(value);
             }
           }
         });
}

void BindLayerNorm(Binding& b) {
  const Value& input = b.FloatTensor("input");
  const Value* bias = b.OptionalTensor("bias");
  b.Ignore("cudnn_enable");
  EmitRowNorm(b, input, true, bias, b.Number("eps", 1e-5));
}

void BindRmsNorm(Binding& b) {
  const Value& input = b.FloatTensor("input");
  // torch's own eps is the smallest difference of the type in which it computes.
  const bool has_eps = !b.IsNone("eps");
  if (!has_eps) b.Ignore("eps");
  const double eps = has_eps ? b.Number("eps") : std::numeric_limits<float>::epsilon();
  EmitRowNorm(b, input, false, nullptr, eps);
}

void BindMean(Binding& b) {
  const Value& input = b.FloatTensor("self");
  const bool keeps = b.Flag("keepdim", false);
  if (!b.IsNone("dtype")) b.Fail("no other type", "one");
  b.Ignore("dtype");
  const Shape strides = RowStrides(input.shape);
  std::vector<bool> is_reduced(input.shape.size());
  for (const std::int64_t d : b.Integers("dim", {})) is_reduced[b.Dimension(input, d)] = true;
  Shape kept, kept_strides, reduced, reduced_strides, shape;
  for (std::size_t d = 0; d < input.shape.size(); ++d) {
    (is_reduced[d] ? reduced : kept).push_back(input.shape[d]);
    (is_reduced[d] ? reduced_strides : kept_strides).push_back(strides[d]);
    if (!is_reduced[d] || keeps) shape.push_back(is_reduced[d] ? 1 : input.shape[d]);
  }
  b.Require(!reduced.empty() && CountElements(reduced) > 0, "dimensions to average over", "none");
  b.Emit(
      shape, input.type, {&input},
      [=, size = input.size()](std::size_t count, std::span<const float* const> operands,
                               float* result) {
        const auto divisor = static_cast<double>(CountElements(reduced));
        for (std::size_t i = 0; i < count; ++i) {
          const float* values = operands[0] + i * size;
          ForEachOffset(kept, kept_strides, [&](std::size_t first) {
            double sum = 0;
            ForEachOffset(reduced, reduced_strides,
                          [&](std::size_t offset) { sum += values[first + offset]; });
            *result++ = static_cast<float>(sum / divisor);
          });
        }
      },
      CountElements(reduced));
}

// A dimension of a value for one input: `outer` rows of `size` values that lie `inner` apart.
struct Axis {
  std::size_t outer, size, inner;
};

Axis FindAxis(Binding& b, const Value& value, std::int64_t dimension) {
  const std::size_t d = b.Dimension(value, dimension);
  const Axis axis{CountElements(value.shape, 0, d), value.shape[d],
                  CountElements(value.shape, d + 1, value.shape.size())};
  b.Require(axis.size > 0, "at least one value", "none");
  return axis;
}

template <bool kLogarithm>
void BindSoftmax(Binding& b) {
  const Value& input = b.FloatTensor("self");
  if (!b.IsNone("dtype")) b.Fail("no other type", "one");
  b.Ignore("dtype");
  b.Require(!b.Flag("half_to_float", false), "no other type", "one");
  const Axis axis = FindAxis(b, input, b.Integer("dim"));
  b.Emit(input.shape, input.type, {&input},
         [axis](std::size_t count, std::span<const float* const> operands, float* result) {
           for (std::size_t row = 0; row < count * axis.outer * axis.inner; ++row) {
             const std::size_t first = row / axis.inner * axis.size * axis.inner + row % axis.inner;
             const float* values = operands[0] + first;
             const auto at = [&](std::size_t i) {
               return static_cast<double>(values[i * axis.inner]);
             };
             double largest = at(0);
             for (std::size_t i = 1; i < axis.size; ++i) largest = std::fmax(largest, at(i));
             double sum = 0;
             for (std::size_t i = 0; i < axis.size; ++i) sum += std::exp(at(i) - largest);
             for (std::size_t i = 0; i < axis.size; ++i) {
               const double value =
                   kLogarithm ? at(i) - largest - std::log(sum) : std::exp(at(i) - largest) / sum;
               result[first + i * axis.inner] = static_cast<float>(value);
             }
           }
         });
}

void BindArgmax(Binding& b) {
  const Value& input = b.FloatTensor("self");
  const std::int64_t dimension = b.Integer("dim");
  const Axis axis = FindAxis(b, input, dimension);
  Shape shape = input.shape;
  const std::size_t d = b.Dimension(input, dimension);
  if (b.Flag("keepdim", false)) {
    shape[d] = 1;
  } else {
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(d));
  }
  b.Require(axis.size <= (std::size_t{1} << 24), "at most 2^24 classes", "more");
  b.Emit(
      shape, ValueType::kInt64, {&input},
      [axis](std::size_t count, std::span<const float* const> operands, float* result) {
        for (std::size_t row = 0; row < count * axis.outer * axis.inner; ++row) {
          const float* values =
              operands[0] + row / axis.inner * axis.size * axis.inner + row % axis.inner;
          std::size_t best = 0;  // the first largest, or the first NaN
          for (std::size_t i = 1; i < axis.size; ++i) {
            const float most = values[best * axis.inner];
            const float value = values[i * axis.inner];
            if (value > most || (std::isnan(value) && !std::isnan(most))) best = i;
          }
          *result++ = static_cast<float>(best);
        }
      },
      axis.size);
}

}  // namespace

std::vector<Operator> ListReductionOperators() {
  return {{"batch_norm.default", BindBatchNorm},
          {"_native_batch_norm_legit_no_training.default", BindDecomposedBatchNorm},
          {"layer_norm.default", BindLayerNorm},
          {"native_layer_norm.default", BindLayerNorm},
          {"rms_norm.default", BindRmsNorm},
          {"mean.dim", BindMean},
          {"softmax.int", BindSoftmax<false>},
          {"_softmax.default", BindSoftmax<false>},
          {"log_softmax.int", BindSoftmax<true>},
          {"_log_softmax.default", BindSoftmax<true>},
          {"argmax.default", BindArgmax}};
}

}  // namespace bnbench::pt2
