// Products of matrices and convolutions, in binary32; product.h states the order of the sums.
#include <algorithm>
#include <array>

#include "bnbench/checked.h"
#include "bnbench/portable/operators.h"
#include "bnbench/portable/product.h"

namespace bnbench::pt2 {
namespace {

// The product of the last dimension of `input` with panels, for each input and the rows it has.
void EmitProduct(Binding& b, const Value& input, Buffer panels, std::size_t columns,
                 const Value* bias) {
  b.Require(!input.shape.empty(), "a factor with a dimension to sum over", "none");
  const std::size_t inner = input.shape.back();
  b.Require(bias == nullptr || bias->shape == Shape{columns}, "a bias for each output",
            "another shape");
  Shape shape = input.shape;
  shape.back() = columns;
  const std::size_t rows = input.size() / std::max<std::size_t>(inner, 1);
  b.Require(inner > 0, "at least one value to sum", "none");
  b.Emit(
      shape, input.type, {&input},
      [panels = std::move(panels), offsets = b.Constant(bias), inner, columns, rows](
          std::size_t count, std::span<const float* const> operands, float* result) {
        MultiplyMatrices({.left = operands[0],
                          .left_stride = inner,
                          .rows = count * rows,
                          .inner = inner,
                          .panels = panels.get(),
                          .columns = columns,
                          .column_bias = offsets.get(),
                          .result = result,
                          .result_stride = columns});
      },
      inner);
}

void RequireTypes(Binding& b, const Value& input, std::initializer_list<const Value*> others) {
  for (const Value* other : others) {
    if (other == nullptr) continue;
    b.Require(other->type == input.type, "tensors of one type, " + NameOf(input.type),
              NameOf(other->type));
  }
}

void BindLinear(Binding& b) {
  const Value& input = b.FloatTensor("input");
  const Value& weight = b.Tensor("weight");
  const Value* bias = b.OptionalTensor("bias");
  RequireTypes(b, input, {&weight, bias});
  b.Require(
      weight.shape.size() == 2 && !input.shape.empty() && weight.shape[1] == input.shape.back(),
      "a weight of shape (outputs, inputs)", NameShape(weight.shape));
  const std::size_t outputs = weight.shape[0];
  const std::size_t inputs = weight.shape[1];
  EmitProduct(b, input, MakePanels(b.Constant(&weight).get(), inputs, outputs, 1, inputs), outputs,
              bias);
}

void BindMatrices(Binding& b, const Value& left, const Value& right, const Value* bias) {
  b.Require(left.is_float(), "float32 or bfloat16", NameOf(left.type));
  RequireTypes(b, left, {&right, bias});
  b.Require(right.shape.size() == 2 && !left.shape.empty() && right.shape[0] == left.shape.back(),
            "a constant second factor of shape (inputs, outputs)", NameShape(right.shape));
  const std::size_t inner = right.shape[0];
  const std::size_t columns = right.shape[1];
  EmitProduct(b, left, MakePanels(b.Constant(&right).get(), inner, columns, columns, 1), columns,
              bias);
}

void BindMm(Binding& b) { BindMatrices(b, b.Tensor("self"), b.Tensor("mat2"), nullptr); }
void BindMatmul(Binding& b) { BindMatrices(b, b.Tensor("self"), b.Tensor("other"), nullptr); }

void BindAddmm(Binding& b) {
  b.Require(b.Number("alpha", 1) == 1 && b.Number("beta", 1) == 1, "factors of 1", "others");
  const Value& bias = b.Tensor("self");
  BindMatrices(b, b.Tensor("mat1"), b.Tensor("mat2"), &bias);
}

struct Convolution {
  std::size_t channels, height, width;  // of the input
  std::size_t outputs, kernel_height, kernel_width;
  std::size_t out_height, out_width;
  std::size_t groups;
  std::array<std::size_t, 2> stride, padding, dilation;

  std::size_t group_channels() const { return channels / groups; }
  std::size_t group_outputs() const { return outputs / groups; }
  std::size_t inner() const { return group_channels() * kernel_height * kernel_width; }
  std::size_t pixels() const { return out_height * out_width; }
};

// The right factor of a group's product: a column for each output pixel, a row for each weight.
void FillPanels(const Convolution& c, const float* image, float* panels) {
  const std::size_t pixels = c.pixels();
  for (std::size_t first = 0; first < pixels; first += kPanelWidth) {
    const std::size_t width = std::min(kPanelWidth, pixels - first);
    for (std::size_t channel = 0; channel < c.group_channels(); ++channel) {
      const float* plane = image + channel * c.height * c.width;
      for (std::size_t ky = 0; ky < c.kernel_height; ++ky) {
        for (std::size_t kx = 0; kx < c.kernel_width; ++kx, panels += kPanelWidth) {
          std::size_t out_y = first / c.out_width;
          std::size_t out_x = first % c.out_width;
          for (std::size_t i = 0; i < width; ++i) {
            // Outside the image, also to the left and above, where the difference wraps round.
            const std::size_t y = out_y * c.stride[0] + ky * c.dilation[0] - c.padding[0];
            const std::size_t x = out_x * c.stride[1] + kx * c.dilation[1] - c.padding[1];
            panels[i] = y < c.height && x < c.width ? plane[y * c.width + x] : 0.0F;
            if (++out_x == c.out_width) {
              out_x = 0;
              ++out_y;
            }
          }
          std::fill(panels + width, panels + kPanelWidth, 0.0F);
        }
      }
    }
  }
}

void Convolve(const Convolution& c, const float* weights, const float* bias, const float* image,
              float* panels, float* result) {
  for (std::size_t group = 0; group < c.groups; ++group) {
    FillPanels(c, image + group * c.group_channels() * c.height * c.width, panels);
    const std::size_t first = group * c.group_outputs();
    MultiplyMatrices({.left = weights + first * c.inner(),
                      .left_stride = c.inner(),
                      .rows = c.group_outputs(),
                      .inner = c.inner(),
                      .panels = panels,
                      .columns = c.pixels(),
                      .row_bias = bias == nullptr ? nullptr : bias + first,
                      .result = result + first * c.pixels(),
                      .result_stride = c.pixels()});
  }
}

// Two numbers for height and width; one is for both.
std::array<std::size_t, 2> ReadPair(Binding& b, std::string_view name, std::int64_t otherwise,
                                    std::int64_t min) {
  std::vector<std::int64_t> values = b.Integers(name, {otherwise, otherwise});
  if (values.size() == 1) values.push_back(values[0]);
  b.Require(values.size() == 2 &&
                std::ranges::all_of(
                    values, [&](std::int64_t value) { return value >= min && value <= (1 << 20); }),
            "two numbers " + std::string(name), "others");
  return {static_cast<std::size_t>(values[0]), static_cast<std::size_t>(values[1])};
}

void EmitConvolution(Binding& b, Convolution c, const Value& input, const Value& weight,
                     const Value* bias) {
  RequireTypes(b, input, {&weight, bias});
  b.Require(input.varies && input.shape.size() == 3 && weight.shape.size() == 4,
            "images of shape (channels, height, width)", NameShape(input.shape));
  const std::int64_t groups = b.Integer("groups", 1);
  c.channels = input.shape[0];
  c.height = input.shape[1];
  c.width = input.shape[2];
  c.outputs = weight.shape[0];
  c.kernel_height = weight.shape[2];
  c.kernel_width = weight.shape[3];
  b.Require(groups >= 1 && c.channels % static_cast<std::size_t>(groups) == 0 &&
                c.outputs % static_cast<std::size_t>(groups) == 0,
            "groups that divide the channels", std::to_string(groups));
  c.groups = static_cast<std::size_t>(groups);
  b.Require(weight.shape[1] == c.group_channels() && weight.size() > 0 && input.size() > 0,
            "a weight for the input's channels", NameShape(weight.shape));
  b.Require(bias == nullptr || bias->shape == Shape{c.outputs}, "a bias for each output",
            "another shape");
  const auto count = [&](std::size_t size, std::size_t kernel, std::size_t d) {
    const std::size_t reach = Add(Multiply(kernel - 1, c.dilation[d]), 1);
    const std::size_t padded = Add(size, 2 * c.padding[d]);
    b.Require(reach <= padded, "an image that is larger than the kernel", "a smaller one");
    return (padded - reach) / c.stride[d] + 1;
  };
  c.out_height = count(c.height, c.kernel_height, 0);
  c.out_width = count(c.width, c.kernel_width, 1);
  const std::size_t panels =
      Multiply(c.inner(), Add(Multiply(c.out_height, c.out_width), kPanelWidth));
  b.Require(panels <= 4 * kMaxElements, "a product of at most 2^28 factors",
            std::to_string(panels));
  b.Emit(
      {c.outputs, c.out_height, c.out_width}, input.type, {&input},
      [c, weights = b.Constant(&weight), offsets = b.Constant(bias), size = input.size()](
          std::size_t inputs, std::span<const float* const> operands, float* result) {
        const Buffer buffer = MakeBuffer(PanelsSize(c.inner(), c.pixels()));
        for (std::size_t i = 0; i < inputs; ++i) {
          Convolve(c, weights.get(), offsets.get(), operands[0] + i * size, buffer.get(),
                   result + i * c.outputs * c.pixels());
        }
      },
      c.inner());
}

void BindConvolution(Binding& b) {
  const Value& input = b.FloatTensor("input");
  const Value& weight = b.Tensor("weight");
  const Value* bias = b.OptionalTensor("bias");
  Convolution c{};
  c.stride = ReadPair(b, "stride", 1, 1);
  c.padding = ReadPair(b, "padding", 0, 0);
  c.dilation = ReadPair(b, "dilation", 1, 1);
  b.Require(!b.Flag("transposed", false), "no transposed convolution", "one");
  b.Require(
      std::ranges::all_of(b.Integers("output_padding", {}), [](std::int64_t n) { return n == 0; }),
      "no output padding", "one");
  EmitConvolution(b, c, input, weight, bias);
}

// With its padding as a word.
void BindConvolutionByWord(Binding& b) {
  const Value& input = b.FloatTensor("input");
  const Value& weight = b.Tensor("weight");
  const Value* bias = b.OptionalTensor("bias");
  Convolution c{};
  c.stride = ReadPair(b, "stride", 1, 1);
  c.dilation = ReadPair(b, "dilation", 1, 1);
  const std::string padding = b.Text("padding", "valid");
  if (padding == "same") {
    b.Require(weight.shape.size() == 4, "a weight of four dimensions", NameShape(weight.shape));
    for (std::size_t d = 0; d < 2; ++d) {
      const std::size_t both = Multiply(c.dilation[d], weight.shape[2 + d] - 1);
      b.Require(both % 2 == 0 && c.stride[d] == 1, "the same padding on both sides", "another");
      c.padding[d] = both / 2;
    }
  } else {
    b.Require(padding == "valid", "the padding same or valid", "another");
  }
  EmitConvolution(b, c, input, weight, bias);
}

}  // namespace

std::vector<Operator> ListProductOperators() {
  return {{"linear.default", BindLinear},          {"mm.default", BindMm},
          {"matmul.default", BindMatmul},          {"addmm.default", BindAddmm},
          {"conv2d.default", BindConvolution},     {"conv2d.padding", BindConvolutionByWord},
          {"convolution.default", BindConvolution}};
}

}  // namespace bnbench::pt2
