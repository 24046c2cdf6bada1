#include "bnbench/portable/network.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "tests/archives.h"

using bnbench::ModelError;
using bnbench::pt2::Network;
using bnbench::testing::Pt2;
using bnbench::testing::TensorNamed;
using bnbench::testing::TinyPt2;
using bnbench::testing::Whole;
using bnbench::testing::Wholes;
using Json = nlohmann::json;
using Floats = std::vector<float>;

namespace {

const Json kX = TensorNamed("x");

Json Real(double value) { return {{"as_float", value}}; }
Json Truth(bool value) { return {{"as_bool", value}}; }

Floats Run(const Pt2& network, const std::string& output, const Floats& inputs, std::size_t count) {
  return Network::Load(network.Bytes(output), "m.pt2").Run(inputs, count);
}

void CheckRefused(const Pt2& network, const std::string& output, const char* text) {
  CHECK_THROWS_WITH_AS(Network::Load(network.Bytes(output), "m.pt2"), doctest::Contains(text),
                       ModelError);
}

void CheckClose(const Floats& found, const Floats& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

// The results of one node on one input.
Floats RunNode(const std::string& target, const nlohmann::ordered_json& arguments,
               const std::vector<std::int64_t>& shape, const Floats& input,
               const std::vector<std::int64_t>& result_shape) {
  Pt2 network(shape);
  network.Node(target, arguments, "y", result_shape);
  return Run(network, "y", input, 1);
}

}  // namespace

TEST_CASE("a small network gives what it gives by hand") {
  // 1 + 4 + 9 + 0.5 and -1 + 3 - 4; then 2 - 6 + 3 + 0.5 = -0.5 and -2 + 1 - 4.
  CHECK(Run(TinyPt2(), "linear", {1, 2, 3, 2, -3, 1}, 2) == Floats{14.5F, -2, -0.5F, -5});
  CHECK(Run(TinyPt2(), "relu", {1, 2, 3, 2, -3, 1}, 2) == Floats{14.5F, 0, 0, 0});
}

TEST_CASE("an input's results are the same bits alone and in company") {
  const Network network = Network::Load(TinyPt2().Bytes("linear"), "m.pt2");
  Floats inputs;
  for (int i = 0; i < 3 * 2500; ++i) inputs.push_back(std::sin(static_cast<float>(i)));
  const Floats together = network.Run(inputs, 2500);
  for (const std::size_t i : {0U, 1U, 1023U, 1024U, 2499U}) {
    const Floats alone = network.Run(std::span(inputs).subspan(3 * i, 3), 1);
    CHECK(alone == Floats{together[2 * i], together[2 * i + 1]});
  }
}

TEST_CASE("a convolution sums over channels, kernel and padding") {
  Pt2 network({1, 3, 3});
  network.Parameter("k", {1, 1, 2, 2}, {1, 10, 100, 1000});
  network.Node("conv2d.default", {{"input", kX}, {"weight", TensorNamed("p_k")}}, "y", {1, 2, 2});
  network.Node("conv2d.default",
               {{"input", kX},
                {"weight", TensorNamed("p_k")},
                {"bias", {{"as_none", true}}},
                {"stride", Wholes({2, 2})},
                {"padding", Wholes({1, 1})}},
               "z", {1, 2, 2});
  const Floats image = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(Run(network, "y", image, 1) == Floats{5421, 6532, 8754, 9865});
  CHECK(Run(network, "z", image, 1) == Floats{1000, 3200, 7040, 9865});
}

TEST_CASE("pooling takes the largest or the mean") {
  const Floats image = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(RunNode("max_pool2d.default",
                {{"self", kX}, {"kernel_size", Wholes({2, 2})}, {"stride", Wholes({1, 1})}},
                {1, 3, 3}, image, {1, 2, 2}) == Floats{5, 6, 8, 9});
  const nlohmann::ordered_json padded = {{"self", kX},
                                         {"kernel_size", Wholes({2, 2})},
                                         {"stride", Wholes({2, 2})},
                                         {"padding", Wholes({1, 1})}};
  CHECK(RunNode("max_pool2d.default", padded, {1, 3, 3}, image, {1, 2, 2}) == Floats{1, 3, 7, 9});
  CHECK(RunNode("avg_pool2d.default", padded, {1, 3, 3}, image, {1, 2, 2}) ==
        Floats{0.25F, 1.25F, 2.75F, 7});
  CHECK(RunNode("adaptive_avg_pool2d.default", {{"self", kX}, {"output_size", Wholes({2, 1})}},
                {1, 3, 3}, image, {1, 2, 1}) == Floats{3.5F, 6.5F});
}

TEST_CASE("normalizations and functions give what their formulas give") {
  Pt2 network({2});
  network.Parameter("mean", {2}, {1, 2}).Parameter("var", {2}, {3, 0}).Parameter("w", {2}, {4, 5});
  network.Node("batch_norm.default",
               {{"input", kX},
                {"weight", TensorNamed("p_w")},
                {"bias", {{"as_none", true}}},
                {"running_mean", TensorNamed("p_mean")},
                {"running_var", TensorNamed("p_var")},
                {"training", Truth(false)},
                {"momentum", Real(0.1)},
                {"eps", Real(1)},
                {"cudnn_enabled", Truth(false)}},
               "y", {2});
  CHECK(Run(network, "y", {3, 3}, 1) == Floats{4, 5});
  CheckClose(RunNode("layer_norm.default",
                     {{"input", kX}, {"normalized_shape", Wholes({2})}, {"eps", Real(0)}}, {2},
                     {3, 7}, {2}),
             {-1, 1});
  CheckClose(RunNode("rms_norm.default",
                     {{"input", kX}, {"normalized_shape", Wholes({2})}, {"eps", Real(0)}}, {2},
                     {1, 7}, {2}),
             {0.2F, 1.4F});
  CheckClose(
      RunNode("softmax.int", {{"self", kX}, {"dim", Whole(1)}}, {2}, {0, std::log(3.0F)}, {2}),
      {0.25F, 0.75F});
  CheckClose(RunNode("softmax.int", {{"self", kX}, {"dim", Whole(1)}}, {2}, {-800, -800}, {2}),
             {0.5F, 0.5F});
  CheckClose(RunNode("log_softmax.int", {{"self", kX}, {"dim", Whole(-1)}}, {2}, {500, 500}, {2}),
             {-std::log(2.0F), -std::log(2.0F)});
  CheckClose(RunNode("gelu.default", {{"self", kX}}, {2}, {1, -1}, {2}),
             {0.84134475F, -0.15865525F});
  CheckClose(RunNode("silu.default", {{"self", kX}}, {1}, {1}, {1}), {0.7310586F});
  CheckClose(RunNode("mean.dim", {{"self", kX}, {"dim", Wholes({2})}}, {2, 2}, {1, 2, 3, 6}, {2}),
             {1.5F, 4.5F});
}

TEST_CASE("shapes are cut, filled, joined and exchanged") {
  CHECK(RunNode("pad.default", {{"self", kX}, {"pad", Wholes({1, -1})}}, {3}, {1, 2, 3}, {3}) ==
        Floats{0, 1, 2});
  CHECK(RunNode("pad.default", {{"self", kX}, {"pad", Wholes({0, 1, -1, 1})}}, {2, 2}, {1, 2, 3, 4},
                {2, 3}) == Floats{3, 4, 0, 0, 0, 0});
  CHECK(RunNode("permute.default", {{"self", kX}, {"dims", Wholes({0, 2, 1})}}, {2, 3},
                {1, 2, 3, 4, 5, 6}, {3, 2}) == Floats{1, 4, 2, 5, 3, 6});
  CHECK(RunNode("slice.Tensor",
                {{"self", kX}, {"dim", Whole(1)}, {"start", Whole(-2)}, {"end", Whole(3)}}, {3},
                {1, 2, 3}, {2}) == Floats{2, 3});
  Pt2 network({2});
  network.Node(
      "cat.default",
      {{"tensors", {{"as_tensors", {{{"name", "x"}}, {{"name", "x"}}}}}}, {"dim", Whole(1)}}, "y",
      {4});
  CHECK(Run(network, "y", {1, 2, 3, 4}, 2) == Floats{1, 2, 1, 2, 3, 4, 3, 4});
}

TEST_CASE("constants spread over the inputs") {
  Pt2 network({2, 2});
  network.Parameter("c", {2, 1}, {10, 20}).Parameter("d", {1, 1, 2}, {1, 2});
  network.Node("add.Tensor", {{"self", kX}, {"other", TensorNamed("p_c")}}, "a", {2, 2});
  network.Node("mul.Tensor", {{"self", TensorNamed("p_d")}, {"other", TensorNamed("a")}}, "b",
               {2, 2});
  network.Node("div.Tensor", {{"self", TensorNamed("b")}, {"other", Whole(4)}}, "y", {2, 2});
  CHECK(Run(network, "y", {1, 2, 3, 4, 5, 6, 7, 8}, 2) ==
        Floats{2.75F, 6, 5.75F, 12, 3.75F, 8, 6.75F, 14});
}

TEST_CASE("bytes become floats, and labels whole numbers") {
  Pt2 network({3}, 1);
  network.Node("to.dtype", {{"self", kX}, {"dtype", {{"as_scalar_type", 7}}}}, "f", {3});
  network.Node("argmax.default", {{"self", TensorNamed("f")}, {"dim", Whole(1)}}, "y", {}, 5);
  CHECK(Run(network, "y", {1, 255, 255, 9, 8, 7}, 2) == Floats{1, 0});
}

TEST_CASE("bfloat16 is rounded after each operator") {
  Pt2 network({1}, 13);
  network.Node("add.Tensor", {{"self", kX}, {"other", Real(1)}}, "y", {1}, 13);
  // One step is 2^-7 from 1 to 2: 1 + 3/512 is nearer to 1 + 4/512, and 1 + 2/512 is a tie.
  CHECK(Run(network, "y", {3 / 512.0F, 2 / 512.0F}, 2) == Floats{1.0078125F, 1});
}

TEST_CASE("an operator in place changes what its argument's name means") {
  Pt2 network({2});
  network.Node("neg.default", {{"self", kX}}, "n", {2});
  network.Node("relu_.default", {{"self", TensorNamed("n")}}, "r", {2});
  network.Node("add.Tensor", {{"self", TensorNamed("n")}, {"other", TensorNamed("r")}}, "y", {2});
  CHECK(Run(network, "y", {-3, 4}, 1) == Floats{6, 0});
}

TEST_CASE("another view of what an operator changed in place is refused") {
  Pt2 network({1, 2});
  network.Node("neg.default", {{"self", kX}}, "n", {1, 2});
  network.Node("flatten.using_ints", {{"self", TensorNamed("n")}, {"start_dim", Whole(1)}}, "v",
               {2});
  network.Node("relu_.default", {{"self", TensorNamed("n")}}, "r", {1, 2});
  network.Node("neg.default", {{"self", TensorNamed("v")}}, "y", {2});
  CheckRefused(network, "y", "values that no operator in place has changed");
}

TEST_CASE("operators across the inputs are refused") {
  const auto check = [](const std::string& target, const nlohmann::ordered_json& arguments,
                        const std::vector<std::int64_t>& shape) {
    Pt2 network({4});
    network.Node(target, arguments, "y", shape);
    CheckRefused(network, "y", "treat each input alone");
  };
  check("softmax.int", {{"self", kX}, {"dim", Whole(0)}}, {4});
  check("mean.dim", {{"self", kX}, {"dim", Wholes({0})}}, {4});
  check("flatten.using_ints", {{"self", kX}, {"start_dim", Whole(0)}}, {});
  check("slice.Tensor", {{"self", kX}, {"dim", Whole(0)}, {"end", Whole(1)}}, {4});
  check("cat.default", {{"tensors", {{"as_tensors", {{{"name", "x"}}}}}}, {"dim", Whole(0)}}, {4});
}

TEST_CASE("a network exported in training mode is refused") {
  Pt2 network({2});
  network.Node("dropout.default", {{"input", kX}, {"p", Real(0.5)}, {"train", Truth(true)}}, "y",
               {2});
  CheckRefused(network, "y", "dropout in evaluation mode, got one exported in training mode");
  Pt2 counter({2});
  counter.Parameter("n", {1}, {0});
  counter.Node("add_.Tensor", {{"self", TensorNamed("p_n")}, {"other", Whole(1)}}, "y", {1});
  CheckRefused(counter, "y", "as in evaluation mode, got one that changes p_n");
}

TEST_CASE("what is unknown is refused by name") {
  Pt2 network({2});
  network.Node("sinc.default", {{"self", kX}}, "y", {2});
  CheckRefused(network, "y", "torch.ops.aten.sinc.default (y): expected an operator that");
  Pt2 argument({2});
  argument.Node("relu.default", {{"self", kX}, {"twice", Truth(true)}}, "y", {2});
  CheckRefused(argument, "y", "arguments that this program knows, got twice");
  Pt2 repeated({2});
  repeated.Node("relu.default", {{"self", kX}}, "y", {2});
  Json& inputs = repeated.model["graph_module"]["graph"]["nodes"][0]["inputs"];
  inputs.push_back(inputs[0]);
  CheckRefused(repeated, "y", "each argument once, got self twice");
}

TEST_CASE("a graph with a cycle, or a value that is missing, is refused") {
  Pt2 network({2});
  network.Node("add.Tensor", {{"self", kX}, {"other", TensorNamed("z")}}, "y", {2});
  network.Node("relu.default", {{"self", TensorNamed("y")}}, "z", {2});
  CheckRefused(network, "z", "a value that an operator before it computes, got z");
  CheckRefused(TinyPt2(), "nothing", "output nothing: expected a value");
  Pt2 twice({2});
  twice.Node("relu.default", {{"self", kX}}, "x", {2});
  CheckRefused(twice, "x", "each name once, got x twice");
}

TEST_CASE("a result of another shape or type than the graph says is refused") {
  Pt2 network({2});
  network.Node("relu.default", {{"self", kX}}, "y", {3});
  CheckRefused(network, "y", "a result of shape (Symbol('s0'), 2), got (Symbol('s0'), 3)");
  Pt2 type({2});
  type.Node("relu.default", {{"self", kX}}, "y", {2}, 13);
  CheckRefused(type, "y", "a result in float32, got bfloat16");
}

TEST_CASE("a second dynamic dimension is refused") {
  Pt2 network({2});
  const Json symbol = {{"as_expr", {{"expr_str", "Symbol('s1')"}}}};
  network.Describe("x", Json::array({symbol, symbol}));
  network.Node("relu.default", {{"self", kX}}, "y", {2});
  CheckRefused(network, "y", "expected one dynamic dimension, the first, got another");
}

TEST_CASE("huge results are refused before they are computed") {
  Pt2 network({2});
  network.Node("pad.default", {{"self", kX}, {"pad", Wholes({0, 1 << 26})}}, "y", {(1 << 26) + 2});
  CheckRefused(network, "y", "values of at most 2^26 elements per input");
  Pt2 wraps({2});
  wraps.Node("pad.default", {{"self", kX}, {"pad", Wholes({INT64_MIN, INT64_MAX})}}, "y", {2});
  CheckRefused(wraps, "y", "widths that leave something");
  Pt2 input({std::int64_t{1} << 40, std::int64_t{1} << 40});
  CheckRefused(input, "x", "a size beyond 64 bits");
}

TEST_CASE("a truncated or altered archive never loads as another network") {
  const std::string bytes = TinyPt2().Bytes("relu");
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    CHECK_THROWS_AS(Network::Load(std::string_view(bytes).substr(0, size), "m.pt2"), ModelError);
  }
}
