#include "bnbench/portable/runtime.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "tests/archives.h"

using bnbench::Classifier;
using bnbench::Device;
using bnbench::DType;
using bnbench::ModelError;
using bnbench::OutputKind;
using bnbench::OutputSpec;
using bnbench::PortableRuntime;
using bnbench::Shape;
using bnbench::testing::Pt2;
using bnbench::testing::TensorNamed;
using bnbench::testing::TinyPt2;
using bnbench::testing::Whole;

namespace {

std::unique_ptr<Classifier> Load(const std::string& bytes, const OutputSpec& output = {},
                                 DType dtype = DType::kFloat32, const Shape& shape = {3}) {
  return PortableRuntime().Load(bytes, "m.pt2", dtype, shape, output, Device::kCpu);
}

std::vector<float> Run(Classifier* classifier, const std::vector<float>& inputs,
                       std::size_t count) {
  std::memcpy(classifier->Prepare(count), inputs.data(), inputs.size() * sizeof(float));
  std::vector<float> scores;
  classifier->Run(count, &scores);
  return scores;
}

void CheckRefused(const OutputSpec& output, const char* text) {
  CHECK_THROWS_WITH_AS(Load(TinyPt2().Bytes("relu"), output), doctest::Contains(text), ModelError);
}

}  // namespace

TEST_CASE("a classifier appends the scores of each batch") {
  const auto classifier = Load(TinyPt2().Bytes("relu"));
  CHECK(classifier->kind() == OutputKind::kLogits);
  CHECK(classifier->width() == 2);
  CHECK(Run(classifier.get(), {1, 2, 3, 2, -3, 1}, 2) == std::vector<float>{14.5F, 0, 0, 0});
  CHECK(Run(classifier.get(), {1, 2, 3}, 1) == std::vector<float>{14.5F, 0});
}

TEST_CASE("a network that returns whole numbers gives labels, which are classes") {
  Pt2 network({3});
  network.Node("argmax.default", {{"self", TensorNamed("x")}, {"dim", Whole(1)}}, "y", {}, 5);
  const auto classifier = Load(network.Bytes("y"));
  CHECK(classifier->kind() == OutputKind::kLabels);
  CHECK(Run(classifier.get(), {1, 2, 3}, 1) == std::vector<float>{2});
  const auto two = Load(network.Bytes("y"), {{}, 2, {}});
  CHECK_THROWS_WITH_AS(Run(two.get(), {1, 2, 3}, 1), doctest::Contains("labels from 0 to 1, got 2"),
                       ModelError);
}

TEST_CASE("an output that is not as described is refused") {
  CheckRefused({{}, 3, {}}, "expected logits of shape (N, 3), got shape (N, 2)");
  CheckRefused({OutputKind::kLabels, 0, {}}, "expected labels, got scores");
  CheckRefused({{}, 0, std::size_t{1}}, "expected an output number 1, got 1 outputs");
  CheckRefused({{}, 0, std::string("logits")}, "expected an output `logits`, got none of that");
}

TEST_CASE("inputs of another type or shape than the network's are refused") {
  const std::string bytes = TinyPt2().Bytes("relu");
  CHECK_THROWS_WITH_AS(
      Load(bytes, {}, DType::kFloat32, {1, 3}),
      doctest::Contains("float32 of shape (1, 3), got one for float32 of shape (3)"), ModelError);
  CHECK_THROWS_WITH_AS(Load(bytes, {}, DType::kUint8), doctest::Contains("inputs in uint8"),
                       ModelError);
  CHECK_THROWS_WITH_AS(Load(bytes, {}, DType::kFloat64), doctest::Contains("got float64; cast"),
                       ModelError);
}

TEST_CASE("scores that are not finite are refused") {
  const auto classifier = Load(TinyPt2().Bytes("linear"));
  CHECK_THROWS_WITH_AS(Run(classifier.get(), {std::numeric_limits<float>::infinity(), 0, 0}, 1),
                       doctest::Contains("expected finite logits, got NaN or infinite values"),
                       ModelError);
}

TEST_CASE("a GPU is refused") {
  CHECK_THROWS_WITH_AS(PortableRuntime().Open(Device::kCuda),
                       doctest::Contains("--device: expected cpu, got cuda"), bnbench::UsageError);
}
