// Functions of single elements, and arithmetic of two tensors. Sums, products and quotients are in
// binary32; functions are computed in binary64 and rounded once.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "bnbench/portable/operators.h"

namespace bnbench::pt2 {
namespace {

template <class Function>
void EmitFunction(Binding& b, const Value& input, const Function& function) {
  b.Emit(input.shape, input.type, {&input},
         [function, size = input.size()](std::size_t count, std::span<const float* const> operands,
                                         float* result) {
           const float* values = operands[0];
           for (std::size_t i = 0; i < count * size; ++i) result[i] = function(values[i]);
         });
}

template <double (*kFunction)(double)>
void BindFunction(Binding& b) {
  EmitFunction(b, b.FloatTensor("self"),
               [](float x) { return static_cast<float>(kFunction(static_cast<double>(x))); });
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double Silu(double x) { return x / (1 + std::exp(-x)); }
double Tanh(double x) { return std::tanh(x); }
double Root(double x) { return std::sqrt(x); }
double ReciprocalRoot(double x) { return 1 / std::sqrt(x); }
double Negative(double x) { return -x; }
double HardSigmoid(double x) { return std::clamp(x + 3, 0.0, 6.0) / 6; }
double HardSwish(double x) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; }
double Gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2)); }
double GeluByTanh(double x) {
  const double scale = std::sqrt(2 / std::numbers::pi);
  return 0.5 * x * (1 + std::tanh(scale * (x + 0.044715 * x * x * x)));
}

void BindRelu(Binding& b) {
  // NaN stays NaN, as in torch.
  EmitFunction(b, b.FloatTensor("self"), [](float x) { return x < 0 ? 0.0F : x; });
}

void BindGelu(Binding& b) {
  const std::string kind = b.Text("approximate", "none");
  if (kind == "none") return BindFunction<Gelu>(b);
  b.Require(kind == "tanh", "the approximation none or tanh", "another");
  BindFunction<GeluByTanh>(b);
}

void EmitClamp(Binding& b, const Value& input, double least, double most) {
  const auto min = static_cast<float>(least);
  const auto max = static_cast<float>(most);
  b.Require(min <= max, "a range", "an empty one");
  EmitFunction(b, input, [min, max](float x) { return x < min ? min : (x > max ? max : x); });
}

void BindHardTanh(Binding& b) {
  EmitClamp(b, b.FloatTensor("self"), b.Number("min_val", -1), b.Number("max_val", 1));
}

void BindClamp(Binding& b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto read = [&b](const char* name, double otherwise) {
    if (!b.IsNone(name)) return b.Number(name);
    b.Ignore(name);
    return otherwise;
  };
  EmitClamp(b, b.FloatTensor("self"), read("min", -kInfinity), read("max", kInfinity));
}

void BindPower(Binding& b) {
  const Value& input = b.FloatTensor("self");
  const double exponent = b.Number("exponent");
  if (exponent == 2) return EmitFunction(b, input, [](float x) { return x * x; });
  EmitFunction(b, input, [exponent](float x) {
    return static_cast<float>(std::pow(static_cast<double>(x), exponent));
  });
}

// Dropout, which does nothing in evaluation mode.
void BindDropout(Binding& b) {
  const Value& input = b.Tensor("input");
  const double probability = b.Number("p");
  b.Require(!b.Flag("train", true) || probability == 0, "dropout in evaluation mode",
            "one exported in training mode");
  b.EmitView(input, input.shape);
}

// Both operands in the shape of their result.
struct Broadcast {
  Shape shape, left, right;  // the result's shape, and the operands' strides
};

Broadcast FindBroadcast(Binding& b, const Value& left, const Value& right) {
  const bool varies = left.varies || right.varies;
  const auto take = [&](const Value& value) {
    Shape shape = value.shape;
    const Value& other = &value == &left ? right : left;
    // A constant may have a first dimension of 1 where the other has that of the inputs.
    if (varies && !value.varies && shape.size() == other.shape.size() + 1 && shape[0] == 1) {
      shape.erase(shape.begin());
    }
    return shape;
  };
  const Shape a = take(left);
  const Shape c = take(right);
  const std::size_t rank = std::max(a.size(), c.size());
  b.Require((!left.varies || a.size() == rank) && (!right.varies || c.size() == rank),
            "operands whose first dimension is that of the inputs",
            NameShape(left.shape) + " and " + NameShape(right.shape));
  Broadcast result{Shape(rank), Shape(rank), Shape(rank)};
  const Shape a_strides = RowStrides(a);
  const Shape c_strides = RowStrides(c);
  for (std::size_t d = 0; d < rank; ++d) {
    const auto size = [&](const Shape& shape) {
      return d + shape.size() < rank ? 1 : shape[d + shape.size() - rank];
    };
    const std::size_t m = size(a);
    const std::size_t n = size(c);
    b.Require(m == n || m == 1 || n == 1, "shapes that fit each other",
              NameShape(left.shape) + " and " + NameShape(right.shape));
    result.shape[d] = m == 1 ? n : m;
    result.left[d] = m == 1 ? 0 : a_strides[d + a.size() - rank];
    result.right[d] = n == 1 ? 0 : c_strides[d + c.size() - rank];
  }
  return result;
}

template <class Function>
void EmitArithmetic(Binding& b, const Value& left, const Value& right, ValueType type,
                    const Function& function) {
  const Broadcast shapes = FindBroadcast(b, left, right);
  const bool is_plain = left.varies && right.varies && left.shape == right.shape;
  b.Emit(shapes.shape, type, {&left, &right},
         [=, left_size = left.stride(), right_size = right.stride(),
          size = CountElements(shapes.shape)](
             std::size_t count, std::span<const float* const> operands, float* result) {
           const float* x = operands[0];
           const float* y = operands[1];
           if (is_plain) {
             for (std::size_t i = 0; i < count * size; ++i) result[i] = function(x[i], y[i]);
             return;
           }
           for (std::size_t i = 0; i < count; ++i, x += left_size, y += right_size) {
             float* out = result + i * size;
             ForEachOffset(shapes.shape, shapes.left,
                           [&](std::size_t offset) { *out++ = x[offset]; });
             out = result + i * size;
             ForEachOffset(shapes.shape, shapes.right, [&](std::size_t offset) {
               *out = function(*out, y[offset]);
               ++out;
             });
           }
         });
}

// Binds an operation of `self` with `other`, a tensor or a number. kTakesIntegers: whether whole
// numbers give a fraction, as in a division.
template <class Function, bool kTakesIntegers>
void BindArithmetic(Binding& b) {
  const Value& self = b.Tensor("self");
  const double alpha = b.Number("alpha", 1);  // of sums only; the table gives the others none
  b.Require(alpha == 1, "a factor alpha of 1", "another");
  const auto check = [&](const Value& value) {
    b.Require(value.is_float() || (kTakesIntegers && value.type != ValueType::kBool),
              "float32 or bfloat16", NameOf(value.type));
  };
  check(self);
  if (!b.IsTensor("other")) {
    const auto number = static_cast<float>(b.Number("other"));
    const ValueType type = self.is_float() ? self.type : ValueType::kFloat32;
    b.Emit(self.shape, type, {&self},
           [number, size = self.size()](std::size_t count, std::span<const float* const> operands,
                                        float* result) {
             const float* values = operands[0];
             for (std::size_t i = 0; i < count * size; ++i) {
               result[i] = Function()(values[i], number);
             }
           });
    return;
  }
  const Value& other = b.Tensor("other");
  check(other);
  b.Require(self.type == other.type, "tensors of one type", NameOf(other.type));
  EmitArithmetic(b, self, other, self.is_float() ? self.type : ValueType::kFloat32, Function());
}

struct Sum {
  float operator()(float x, float y) const { return x + y; }
};
struct Difference {
  float operator()(float x, float y) const { return x - y; }
};
struct Product {
  float operator()(float x, float y) const { return x * y; }
};
struct Quotient {
  float operator()(float x, float y) const { return x / y; }
};

}  // namespace

std::vector<Operator> ListPointwiseOperators() {
  return {{"relu.default", BindRelu},
          {"gelu.default", BindGelu},
          {"sigmoid.default", BindFunction<Sigmoid>},
          {"silu.default", BindFunction<Silu>},
          {"tanh.default", BindFunction<Tanh>},
          {"hardtanh.default", BindHardTanh},
          {"clamp.default", BindClamp},
          {"hardsigmoid.default", BindFunction<HardSigmoid>},
          {"hardswish.default", BindFunction<HardSwish>},
          {"sqrt.default", BindFunction<Root>},
          {"rsqrt.default", BindFunction<ReciprocalRoot>},
          {"neg.default", BindFunction<Negative>},
          {"pow.Tensor_Scalar", BindPower},
          {"dropout.default", BindDropout},
          {"add.Tensor", BindArithmetic<Sum, false>},
          {"add.Scalar", BindArithmetic<Sum, false>},
          {"sub.Tensor", BindArithmetic<Difference, false>},
          {"sub.Scalar", BindArithmetic<Difference, false>},
          {"mul.Tensor", BindArithmetic<Product, false>},
          {"mul.Scalar", BindArithmetic<Product, false>},
          {"div.Tensor", BindArithmetic<Quotient, true>},
          {"div.Scalar", BindArithmetic<Quotient, true>}};
}

}  // namespace bnbench::pt2
