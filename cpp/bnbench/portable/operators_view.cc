// What names the elements of a tensor in another shape.
#include <optional>

#include "bnbench/checked.h"
#include "bnbench/portable/operators.h"

namespace bnbench::pt2 {
namespace {

void BindIdentity(Binding& b) {
  const Value& input = b.Tensor("self");
  b.Ignore("memory_format");
  b.EmitView(input, input.shape);
}

void BindFlatten(Binding& b) {
  const Value& input = b.Tensor("self");
  const std::int64_t last = b.Integer("end_dim", -1);
  if (input.varies && input.shape.empty()) return b.EmitView(input, {});
  const std::size_t first = b.Dimension(input, b.Integer("start_dim", 0));
  const std::size_t end = b.Dimension(input, last);
  b.Require(first <= end, "a first dimension before the last", "one behind it");
  Shape shape(input.shape.begin(), input.shape.begin() + static_cast<std::ptrdiff_t>(first));
  shape.push_back(CountElements(input.shape, first, end + 1));
  shape.insert(shape.end(), input.shape.begin() + static_cast<std::ptrdiff_t>(end) + 1,
               input.shape.end());
  b.EmitView(input, shape);
}

// The shape that `sizes` give `input`, where -1 is what is left over.
Shape ReadShape(Binding& b, const Value& input, std::vector<Size> sizes) {
  if (input.varies) {
    b.Require(!sizes.empty(), "a shape with the dimension of the inputs", "none");
    // Its number, or what is left over: Define compares the result with the graph's description.
    const bool is_rest = sizes[0].symbol.empty() && sizes[0].value == -1;
    b.Require(is_rest || b.IsNumInputs(sizes[0]) || sizes[0].symbol.empty(),
              "a shape whose first dimension is that of the inputs", "another");
    sizes.erase(sizes.begin());
    if (is_rest) {
      for (const Size& size : sizes) b.Require(size.value != -1, "one dimension of -1", "two");
    }
  }
  Shape shape;
  std::optional<std::size_t> rest;
  std::size_t known = 1;
  for (const Size& size : sizes) {
    b.Require(size.symbol.empty() && size.value >= -1, "numbers as sizes", "others");
    if (size.value == -1) {
      b.Require(!rest, "one dimension of -1", "two");
      rest = shape.size();
      shape.push_back(1);
    } else {
      shape.push_back(static_cast<std::size_t>(size.value));
      known = Multiply(known, shape.back());
    }
  }
  if (rest) {
    b.Require(known > 0 && input.size() % known == 0, "a shape of as many elements", "another");
    shape[*rest] = input.size() / known;
  }
  b.Require(shape.size() < 8, "at most 8 dimensions", "more");
  b.Require(rest || known == input.size(), "as many elements for each input as before",
            std::to_string(known));
  return shape;
}

void BindView(Binding& b) {
  const Value& input = b.Tensor("self");
  b.EmitView(input, ReadShape(b, input, b.Sizes("size")));
}

void BindReshape(Binding& b) {
  const Value& input = b.Tensor("self");
  b.EmitView(input, ReadShape(b, input, b.Sizes("shape")));
}

void Squeeze(Binding& b, const Value& input, const std::vector<std::int64_t>& dimensions) {
  Shape shape = input.shape;
  std::vector<bool> is_gone(shape.size());
  for (const std::int64_t d : dimensions) is_gone[b.Dimension(input, d)] = true;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (is_gone[d] && shape[d] == 1) shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(d));
  }
  b.EmitView(input, shape);
}

void BindSqueezeOne(Binding& b) { Squeeze(b, b.Tensor("self"), {b.Integer("dim")}); }
void BindSqueezeSome(Binding& b) { Squeeze(b, b.Tensor("self"), b.Integers("dim", {})); }

void BindUnsqueeze(Binding& b) {
  const Value& input = b.Tensor("self");
  Value longer = input;  // of the rank that the result has
  longer.shape.push_back(1);
  const std::size_t d = b.Dimension(longer, b.Integer("dim"));
  Shape shape = input.shape;
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(d), 1);
  b.Require(shape.size() < 8, "at most 8 dimensions", "more");
  b.EmitView(input, shape);
}

void BindSize(Binding& b) {
  const Value& input = b.Tensor("self");
  b.EmitNumber(input.varies && b.Integer("dim") == 0);
}

// What torch checks of a tensor is checked of every value here.
void BindAssertion(Binding& b) {
  for (const char* name : {"a", "size", "stride", "dtype", "device", "layout"}) b.Ignore(name);
}

}  // namespace

std::vector<Operator> ListViewOperators() {
  return {{"alias.default", BindIdentity},
          {"detach.default", BindIdentity},
          {"clone.default", BindIdentity},
          {"contiguous.default", BindIdentity},
          {"lift_fresh_copy.default", BindIdentity},
          {"flatten.using_ints", BindFlatten},
          {"view.default", BindView},
          {"_unsafe_view.default", BindView},
          {"reshape.default", BindReshape},
          {"squeeze.dim", BindSqueezeOne},
          {"squeeze.dims", BindSqueezeSome},
          {"unsqueeze.default", BindUnsqueeze},
          {"sym_size.int", BindSize},
          {"_assert_tensor_metadata.default", BindAssertion}};
}

}  // namespace bnbench::pt2
