#include "bnbench/model/libtorch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/model/preprocessing.h"
#include "bnbench/model/scores.h"
#include "tests/fixtures.h"
#include "tests/tiny_models.h"

using bnbench::Classifier;
using bnbench::DType;
using bnbench::ModelError;
using bnbench::OutputKind;
using bnbench::OutputSpec;
using bnbench::testing::ByteVector;
using bnbench::testing::FirstTenPixelsModel;
using bnbench::testing::ScriptModel;
using bnbench::testing::TinyImages;

namespace {

const OutputSpec kTenLogits = {OutputKind::kLogits, 10, {}};

std::unique_ptr<Classifier> Load(const std::string& bytes, const OutputSpec& output = kTenLogits) {
  return bnbench::LibTorchRuntime().Load(bytes, "tiny.pt", DType::kFloat32, {1, 28, 28}, output,
                                         bnbench::Device::kCpu);
}

std::vector<float> RunOver(Classifier* classifier, const ByteVector& images,
                           std::size_t batch_size) {
  const bnbench::Preprocessor preprocessor(
      {{28, 28}, DType::kUint8, bnbench::ParseSteps("divide=255,reshape=1x28x28")}, "tiny.pt");
  const auto bytes = std::as_bytes(std::span(images));
  const std::size_t count = images.size() / 784;
  std::vector<float> scores;
  for (std::size_t start = 0; start < count; start += batch_size) {
    const std::size_t size = std::min(batch_size, count - start);
    preprocessor.Run(bytes.data() + start * 784, size, classifier->Prepare(size));
    classifier->Run(size, &scores);
  }
  return scores;
}

std::vector<float> LogitsOf(const std::string& model, const OutputSpec& output = kTenLogits) {
  return RunOver(Load(model, output).get(), TinyImages(3), 2);
}

std::string Returning(const std::string& expression) {
  return ScriptModel("def forward(self, x):\n  y = torch.flatten(x, 1)[:, :10]\n  return " +
                     expression + "\n");
}

}  // namespace

TEST_CASE("scores are the model's at any batch size") {
  const std::unique_ptr<Classifier> model = Load(FirstTenPixelsModel());
  for (const std::size_t batch_size : {1UL, 2UL, 3UL, 7UL, 1000UL}) {
    const std::vector<float> scores = RunOver(model.get(), TinyImages(7), batch_size);
    REQUIRE(scores.size() == 70);
    for (std::size_t i = 0; i < 70; ++i) CHECK(scores[i] == (i % 11 == 0 ? 1.0F : 0.0F));
  }
  CHECK(model->width() == 10);
  CHECK(model->epsilon() == bnbench::Epsilon(DType::kFloat32));
}

TEST_CASE("models run in evaluation mode, and training mode is reported") {
  const char* source = R"(
def forward(self, x):
  if self.training:
    return torch.zeros([x.size(0), 10])
  return torch.ones([x.size(0), 10])
)";
  for (const bool training : {false, true}) {
    const std::string bytes = ScriptModel(source, training);
    CHECK(LogitsOf(bytes) == std::vector<float>(30, 1.0F));
    CHECK(Load(bytes)->training_fault().text ==
          (training ? "the model: expected evaluation mode, got training mode; call eval() before "
                      "exporting"
                    : ""));
  }
}

TEST_CASE("a model that overwrites its input does not spoil the images") {
  const std::unique_ptr<Classifier> model =
      Load(ScriptModel("def forward(self, x):\n  return torch.flatten(x.add_(1.0), 1)[:, :10]\n"));
  const std::vector<float> all = RunOver(model.get(), TinyImages(7), 7);
  CHECK(all[0] == 2.0F);
  CHECK(RunOver(model.get(), TinyImages(7), 2) == all);
}

TEST_CASE("what is no TorchScript is refused in one line") {
  const std::string model = FirstTenPixelsModel();
  for (const std::string& bytes :
       {std::string("not a model"), std::string("\0", 1), std::string(100'000, 'P'),
        model.substr(0, model.size() / 2), model.substr(0, model.size() - 1), model.substr(1)}) {
    try {
      Load(bytes);
      FAIL("was accepted");
    } catch (const ModelError& error) {
      const std::string message = error.what();
      CHECK(message.find("tiny.pt: expected a TorchScript model that LibTorch can load, got ") ==
            0);
      CHECK(message.find('\n') == std::string::npos);
      CHECK(message.find("frame #") == std::string::npos);
      CHECK(message.size() < 300);
    }
  }
}

TEST_CASE("a model without forward is refused") {
  CHECK_THROWS_WITH_AS(LogitsOf(ScriptModel("def backward(self, x):\n  return x\n")),
                       doctest::Contains("tiny.pt: expected a method `forward`, got none"),
                       ModelError);
}

TEST_CASE("a model with another output is refused with what it returned") {
  struct Case {
    const char* expression;
    const char* message;
  };
  // dtype 4 is int64: without Python, TorchScript knows them by number only.
  const Case cases[] = {
      {"torch.zeros([x.size(0), 9])",
       "tiny.pt: expected float logits of shape (2, 10), got shape (2, 9)"},
      {"torch.zeros([x.size(0) + 1, 10])", "got shape (3, 10)"},
      {"torch.zeros([10])", "got shape (10,)"},
      {"torch.zeros([])", "got shape ()"},
      {"x", "got shape (2, 1, 28, 28)"},
      {"torch.zeros([x.size(0), 10], dtype=4)", "got a tensor of type Long"},
      {"(x, x)", "got a Tuple"},
      {"None", "got a None"},
      {"3", "got a Int"},
      {"torch.flatten(x, 1)[:, :10] / 0.0", "got NaN or infinite values"},
      {"torch.zeros([x.size(0), 10]).to_sparse()", "got another kind of tensor"},
  };
  for (const Case& wrong : cases) {
    CAPTURE(wrong.expression);
    const std::string model =
        ScriptModel("def forward(self, x):\n  return " + std::string(wrong.expression) + "\n");
    CHECK_THROWS_WITH_AS(LogitsOf(model), doctest::Contains(wrong.message), ModelError);
  }
}

TEST_CASE("a model of another input gives LibTorch's cause, not its stack trace") {
  const std::string wants_more =
      ScriptModel("def forward(self, x):\n  return torch.matmul(x, torch.ones([100, 10]))\n");
  try {
    LogitsOf(wants_more);
    FAIL("was accepted");
  } catch (const ModelError& error) {
    const std::string message = error.what();
    CHECK(message.find(
              "tiny.pt: expected to run on inputs of shape (N, 1, 28, 28) and type Float, got ") ==
          0);
    CHECK(message.find("shape") != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.find("Traceback") == std::string::npos);
  }
  CHECK_THROWS_WITH_AS(LogitsOf(ScriptModel("def forward(self, x, y):\n  return x + y\n")),
                       doctest::Contains("missing value for argument 'y'"), ModelError);
  CHECK_THROWS_WITH_AS(
      LogitsOf(ScriptModel("def forward(self, x):\n  assert False, 'so it says'\n  return x\n")),
      doctest::Contains("so it says"), ModelError);
}

TEST_CASE("a view of negated logits has their sign") {
  // Contiguous already, so that no copy resolves it on the way.
  const std::string negated = ScriptModel(
      "def forward(self, x):\n"
      "  return torch._neg_view(torch.flatten(x, 1)[:, :10].contiguous())\n");
  CHECK(LogitsOf(negated)[0] == -1.0F);
}

TEST_CASE("the loaded LibTorch says its version") {
  const std::string version = bnbench::LibTorchRuntime().version();
  CHECK(version.find('.') != std::string::npos);
  CHECK(version.find_first_not_of("0123456789.abcdefghijklmnopqrstuvwxyz+") == std::string::npos);
}

TEST_CASE("scores of any floating-point type are rounded to binary32, and the type is remembered") {
  // dtype 5, 7 and 15 are float16, float64 and bfloat16.
  for (const auto& [number, dtype] :
       {std::pair{"5", DType::kFloat16}, std::pair{"7", DType::kFloat32},
        std::pair{"15", DType::kBfloat16}}) {
    const std::unique_ptr<Classifier> model =
        Load(Returning("y.to(dtype=" + std::string(number) + ")"));
    CHECK(RunOver(model.get(), TinyImages(3), 3)[0] == 1.0F);
    CHECK(model->epsilon() == bnbench::Epsilon(dtype));
  }
}

TEST_CASE("one of several outputs is chosen by position or key") {
  const OutputSpec first = {OutputKind::kLogits, 10, std::size_t{0}};
  const OutputSpec second = {OutputKind::kLogits, 10, std::size_t{1}};
  const OutputSpec third = {OutputKind::kLogits, 10, std::size_t{2}};
  const OutputSpec by_key = {OutputKind::kLogits, 10, "logits"};
  CHECK(LogitsOf(Returning("(y, x)"), first)[0] == 1.0F);
  CHECK(LogitsOf(Returning("[x, y]"), second)[0] == 1.0F);
  CHECK(LogitsOf(Returning("{'logits': y, 'x': x}"), by_key)[0] == 1.0F);
  CHECK_THROWS_WITH_AS(LogitsOf(Returning("(y, x)"), third),
                       doctest::Contains("expected an output number 2, got 2 outputs"), ModelError);
  CHECK_THROWS_WITH_AS(LogitsOf(Returning("{'scores': y}"), by_key),
                       doctest::Contains("expected an output `logits`, got none of that name"),
                       ModelError);
  CHECK_THROWS_WITH_AS(LogitsOf(Returning("y"), second), doctest::Contains("got a Tensor"),
                       ModelError);
  CHECK_THROWS_WITH_AS(LogitsOf(Returning("(y, x)")),
                       doctest::Contains("got a Tuple; name one with --element"), ModelError);
}

TEST_CASE("a model of which nothing is known says by its output what it returns") {
  const std::unique_ptr<Classifier> scores = Load(Returning("y[:, :7]"), {});
  RunOver(scores.get(), TinyImages(3), 2);
  CHECK(scores->width() == 7);
  CHECK(scores->kind() == OutputKind::kLogits);
  const std::unique_ptr<Classifier> labels = Load(Returning("y.argmax(1)"), {});
  CHECK(RunOver(labels.get(), TinyImages(3), 2) == std::vector<float>{0, 1, 2});
  CHECK(labels->width() == 1);
  CHECK(labels->kind() == OutputKind::kLabels);
  CHECK_THROWS_WITH_AS(LogitsOf(Returning("y.argmax(1) - 1"), {OutputKind::kLabels, 10, {}}),
                       doctest::Contains("expected labels from 0 to 9, got -1"), ModelError);
  CHECK_THROWS_WITH_AS(LogitsOf(Returning("y"), {OutputKind::kLabels, 10, {}}),
                       doctest::Contains("expected whole numbers of shape (2,), got a tensor of"),
                       ModelError);
}
