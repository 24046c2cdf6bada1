// What moves elements and computes nothing but their type.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "bnbench/checked.h"
#include "bnbench/portable/operators.h"

namespace bnbench::pt2 {
namespace {

// Emits the elements of `input` at the offsets of `shape` and `strides`, from `first` on.
void EmitCopy(Binding& b, const Value& input, ValueType type, const Shape& shape,
              const Shape& strides, std::size_t first = 0) {
  b.Emit(shape, type, {&input},
         [=, size = input.size()](std::size_t count, std::span<const float* const> operands,
                                  float* result) {
           for (std::size_t i = 0; i < count; ++i) {
             const float* values = operands[0] + i * size + first;
             ForEachOffset(shape, strides, [&](std::size_t offset) { *result++ = values[offset]; });
           }
         });
}

void Permute(Binding& b, const Value& input, const std::vector<std::size_t>& order) {
  const Shape strides = RowStrides(input.shape);
  Shape shape, permuted;
  for (const std::size_t d : order) {
    shape.push_back(input.shape[d]);
    permuted.push_back(strides[d]);
  }
  EmitCopy(b, input, input.type, shape, permuted);
}

void BindPermute(Binding& b) {
  const Value& input = b.Tensor("self");
  std::vector<std::int64_t> dimensions = b.Integers("dims", {});
  if (input.varies && !dimensions.empty()) {
    b.Require(dimensions[0] == 0, "operators that keep the dimension of the inputs first",
              "another order");
    dimensions.erase(dimensions.begin());
  }
  std::vector<std::size_t> order;
  order.reserve(dimensions.size());
  for (const std::int64_t d : dimensions) order.push_back(b.Dimension(input, d));
  std::vector<std::size_t> sorted = order;
  std::ranges::sort(sorted);
  std::vector<std::size_t> all(input.shape.size());
  std::iota(all.begin(), all.end(), 0);
  b.Require(sorted == all, "each dimension once", "others");
  Permute(b, input, order);
}

void Exchange(Binding& b, const Value& input, std::int64_t first, std::int64_t second) {
  std::vector<std::size_t> order(input.shape.size());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[b.Dimension(input, first)], order[b.Dimension(input, second)]);
  Permute(b, input, order);
}

void BindTranspose(Binding& b) {
  const Value& input = b.Tensor("self");
  Exchange(b, input, b.Integer("dim0"), b.Integer("dim1"));
}

void BindT(Binding& b) {
  const Value& input = b.Tensor("self");
  b.Require(!input.varies && input.shape.size() == 2, "a constant matrix", NameShape(input.shape));
  Exchange(b, input, 0, 1);
}

void BindSlice(Binding& b) {
  const Value& input = b.Tensor("self");
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  const std::int64_t dimension = b.Integer("dim", 0);
  const std::int64_t first = b.IsNone("start") ? 0 : b.Integer("start");
  const std::int64_t last = b.IsNone("end") ? kMax : b.Integer("end");
  for (const char* name : {"start", "end"}) b.Ignore(name);
  b.Require(b.Integer("step", 1) == 1, "a step of 1", "another");
  if (dimension == 0 && input.varies) {
    b.Require(first == 0 && last == kMax, "operators that treat each input alone",
              "a part of them");
    return b.EmitView(input, input.shape);
  }
  const std::size_t d = b.Dimension(input, dimension);
  const auto size = static_cast<std::int64_t>(input.shape[d]);
  const auto clamp = [size](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size);
  };
  const std::int64_t start = clamp(first);
  const std::int64_t end = std::max(clamp(last), start);
  const Shape strides = RowStrides(input.shape);
  Shape shape = input.shape;
  shape[d] = static_cast<std::size_t>(end - start);
  EmitCopy(b, input, input.type, shape, strides, static_cast<std::size_t>(start) * strides[d]);
}

void BindConcatenation(Binding& b) {
  const std::vector<const Value*> inputs = b.Tensors("tensors");
  const Value& first = *inputs[0];
  const std::size_t d = b.Dimension(first, b.Integer("dim", 0));
  Shape shape = first.shape;
  shape[d] = 0;
  std::vector<std::size_t> widths;  // of one row of each input
  for (const Value* input : inputs) {
    Shape other = input->shape;
    b.Require(
        other.size() == shape.size() && input->varies == first.varies && input->type == first.type,
        "tensors of one rank and type", "others");
    shape[d] = Add(shape[d], other[d]);
    widths.push_back(CountElements(other, d, other.size()));
    other[d] = first.shape[d];
    b.Require(other == first.shape, "tensors that differ in one dimension",
              NameShape(input->shape));
  }
  b.Emit(shape, first.type, inputs,
         [widths, rows = CountElements(shape, 0, d)](
             std::size_t count, std::span<const float* const> operands, float* result) {
           for (std::size_t row = 0; row < count * rows; ++row) {
             for (std::size_t i = 0; i < operands.size(); ++i) {
               result = std::copy_n(operands[i] + row * widths[i], widths[i], result);
             }
           }
         });
}

// Zeros or another number around, or less than there is where a width is negative.
void BindPad(Binding& b) {
  const Value& input = b.Tensor("self");
  b.Require(b.Text("mode", "constant") == "constant", "a constant around", "another mode");
  const bool has_value = !b.IsNone("value");
  if (!has_value) b.Ignore("value");
  const auto value = static_cast<float>(has_value ? b.Number("value") : 0);
  const std::vector<std::int64_t> widths = b.Integers("pad", {});
  const std::size_t rank = input.shape.size();
  b.Require(widths.size() % 2 == 0 && widths.size() / 2 <= rank, "two widths for each dimension",
            "others");
  Shape shape = input.shape;  // of the result, then what is copied and where it begins in both
  Shape copied = input.shape;
  std::size_t from = 0;
  std::size_t to = 0;
  std::vector<std::int64_t> before(rank), after(rank);
  for (std::size_t i = 0; i < widths.size() / 2; ++i) {
    before[rank - 1 - i] = widths[2 * i];
    after[rank - 1 - i] = widths[2 * i + 1];
  }
  for (std::size_t d = 0; d < rank; ++d) {
    constexpr std::int64_t kMax = 1 << 26;
    const auto size = static_cast<std::int64_t>(shape[d]);
    b.Require(
        std::abs(before[d]) <= kMax && std::abs(after[d]) <= kMax && before[d] >= -kMax &&
            size + std::min<std::int64_t>(before[d], 0) + std::min<std::int64_t>(after[d], 0) >= 0,
        "widths that leave something", "others");
    shape[d] = static_cast<std::size_t>(size + before[d] + after[d]);
    copied[d] = static_cast<std::size_t>(size + std::min<std::int64_t>(before[d], 0) +
                                         std::min<std::int64_t>(after[d], 0));
  }
  const Shape in_strides = RowStrides(input.shape);
  const Shape out_strides = RowStrides(shape);
  for (std::size_t d = 0; d < rank; ++d) {
    from += static_cast<std::size_t>(std::max<std::int64_t>(-before[d], 0)) * in_strides[d];
    to += static_cast<std::size_t>(std::max<std::int64_t>(before[d], 0)) * out_strides[d];
  }
  b.Emit(shape, input.type, {&input},
         [=, in_size = input.size(), out_size = CountElements(shape)](
             std::size_t count, std::span<const float* const> operands, float* result) {
           std::fill_n(result, count * out_size, value);
           Shape rows = copied;  // all but the last dimension, of which both are contiguous
           const std::size_t width = rows.empty() ? 1 : rows.back();
           if (!rows.empty()) rows.back() = 1;
           for (std::size_t i = 0; i < count; ++i) {
             std::vector<std::size_t> sources;
             ForEachOffset(rows, in_strides,
                           [&](std::size_t offset) { sources.push_back(offset); });
             std::size_t row = 0;
             ForEachOffset(rows, out_strides, [&](std::size_t offset) {
               std::copy_n(operands[0] + i * in_size + from + sources[row++], width,
                           result + i * out_size + to + offset);
             });
           }
         });
}

// Another type of the same values.
void BindTo(Binding& b) {
  const Value& input = b.Tensor("self");
  const ValueType type = b.Type("dtype");
  for (const char* name :
       {"non_blocking", "copy", "memory_format", "layout", "device", "pin_memory"}) {
    b.Ignore(name);
  }
  if (type == input.type) return b.EmitView(input, input.shape);
  b.Require(type == ValueType::kFloat32 || type == ValueType::kBfloat16, "to float32 or bfloat16",
            NameOf(type));
  EmitCopy(b, input, type, input.shape, RowStrides(input.shape));
}

}  // namespace

std::vector<Operator> ListCopyOperators() {
  return {{"permute.default", BindPermute},
          {"transpose.int", BindTranspose},
          {"t.default", BindT},
          {"slice.Tensor", BindSlice},
          {"cat.default", BindConcatenation},
          {"pad.default", BindPad},
          {"constant_pad_nd.default", BindPad},
          {"to.dtype", BindTo},
          {"_to_copy.default", BindTo}};
}

}  // namespace bnbench::pt2
