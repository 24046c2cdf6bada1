#include "bnbench/model/evaluate.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "bnbench/errors.h"
#include "bnbench/io/test_set.h"
#include "tests/fixtures.h"
#include "tests/tiny_models.h"

using bnbench::EvaluationRecord;
using bnbench::Model;
using bnbench::ModelError;
using bnbench::testing::ByteVector;
using bnbench::testing::FirstTenPixelsModel;
using bnbench::testing::ScriptModel;
using bnbench::testing::TinyImages;
using bnbench::testing::TinyLabels;

namespace {

Model Load(const std::string& bytes) { return Model::Load(bytes, "tiny.pt"); }

std::vector<float> LogitsOf(const std::string& model, std::uint32_t count = 3) {
  return Load(model).Logits(TinyImages(count), 2);
}

}  // namespace

TEST_CASE("every pixel value is divided by 255 in binary32") {
  ByteVector images(bnbench::kImageSize);
  for (std::size_t i = 0; i < 256; ++i) images[i] = static_cast<std::uint8_t>(i);
  std::vector<float> pixels(images.size());
  bnbench::ConvertPixels(images, pixels.data());
  for (std::size_t i = 0; i < 256; ++i) CHECK(pixels[i] == static_cast<float>(i) / 255.0F);
  CHECK(pixels[255] == 1.0F);
}

TEST_CASE("predictions, correct count and logits are the model's at any batch size") {
  const Model model = Load(FirstTenPixelsModel());
  const ByteVector images = TinyImages(7);
  ByteVector labels = TinyLabels(7);
  labels[6] = 0;
  for (const std::size_t batch_size : {1UL, 2UL, 3UL, 7UL, 1000UL}) {
    double seconds = 0;
    std::vector<float> logits = TimeLogits(model, images, batch_size, &seconds);
    const EvaluationRecord record = bnbench::Score(std::move(logits), labels, seconds);
    CHECK(record.predictions == "0123456");
    CHECK(record.correct == 6);
    REQUIRE(record.logits.size() == 70);
    for (std::size_t i = 0; i < 70; ++i) CHECK(record.logits[i] == (i % 11 == 0 ? 1.0F : 0.0F));
    CHECK(record.seconds > 0);
  }
}

TEST_CASE("of equal logits the first is the prediction") {
  CHECK(bnbench::Score(std::vector<float>(20, 1.0F), ByteVector{0, 1}, 0.5).predictions == "00");
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
    CHECK(Load(bytes).training_fault().text ==
          (training ? "the model: expected evaluation mode, got training mode; call eval() before "
                      "exporting"
                    : ""));
  }
}

TEST_CASE("a model that overwrites its input does not spoil the images") {
  const Model model =
      Load(ScriptModel("def forward(self, x):\n  return torch.flatten(x.add_(1.0), 1)[:, :10]\n"));
  const std::vector<float> all = model.Logits(TinyImages(7), 7);
  CHECK(all[0] == 2.0F);
  CHECK(model.Logits(TinyImages(7), 2) == all);
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
  // dtype 7 is float64 and 4 int64: without Python, TorchScript knows them by number only.
  const Case cases[] = {
      {"torch.zeros([x.size(0), 9])",
       "tiny.pt: expected float logits of shape (2, 10), got shape (2, 9)"},
      {"torch.zeros([x.size(0) + 1, 10])", "got shape (3, 10)"},
      {"torch.zeros([10])", "got shape (10)"},
      {"torch.zeros([])", "got shape ()"},
      {"x", "got shape (2, 1, 28, 28)"},
      {"torch.zeros([x.size(0), 10], dtype=7)", "got a tensor of type Double"},
      {"torch.zeros([x.size(0), 10], dtype=4)", "got a tensor of type Long"},
      {"(x, x)", "got a Tuple"},
      {"None", "got a None"},
      {"3", "got a Int"},
      {"torch.flatten(x, 1)[:, :10] / 0.0", "got NaN or infinite values"},
      {"torch.zeros([x.size(0), 10]).to_sparse()", "got a tensor of type"},
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
    CHECK(message.find("tiny.pt: expected to run on images of shape (N, 1, 28, 28), got ") == 0);
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
  CHECK(bnbench::TorchVersion().find('.') != std::string::npos);
  CHECK(bnbench::TorchVersion().find_first_not_of("0123456789.abcdefghijklmnopqrstuvwxyz+") ==
        std::string::npos);
}
