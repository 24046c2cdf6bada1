#include <doctest/doctest.h>

#include <string>

#include "bnbench/model/libtorch.h"
#include "tests/fixtures.h"
#include "tests/tiny_models.h"

using bnbench::TrainingFault;
using bnbench::testing::Contains;
using bnbench::testing::ScriptModel;

namespace {

TrainingFault FaultOf(const std::string& body, bool training) {
  const std::string source = "def forward(self, x):\n  x = torch.flatten(x, 1)[:, :10]\n  " + body;
  return bnbench::LibTorchRuntime()
      .Load(ScriptModel(source + "\n", training), "m.pt", bnbench::DType::kFloat32, {1, 28, 28}, {},
            bnbench::Device::kCpu)
      ->training_fault();
}

}  // namespace

TEST_CASE("a flag that the graph does not read is no fault") {
  CHECK(FaultOf("return x", false).text.empty());
  CHECK(FaultOf("return x", true).text.empty());
  CHECK(FaultOf("return torch.dropout(x, 0.5, False)", true).text.empty());
}

TEST_CASE("a flag that is set and read is a fault that eval() ends") {
  const char* body = "return torch.dropout(x, 0.5, self.training)";
  CHECK(FaultOf(body, false).text.empty());
  const TrainingFault fault = FaultOf(body, true);
  CHECK(fault.text ==
        "the model: expected evaluation mode, got training mode; call eval() before exporting");
  CHECK_FALSE(fault.is_fixed);
}

TEST_CASE("an argument that is true whatever the flag is a fault that stays") {
  for (const bool training : {false, true}) {
    const TrainingFault dropout = FaultOf("return torch.dropout(x, 0.5, True)", training);
    CHECK(dropout.is_fixed);
    CHECK(dropout.text ==
          "`dropout`: expected evaluation mode, got training mode fixed in its graph; call eval() "
          "before exporting");
    const TrainingFault norm = FaultOf(
        "return torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)", training);
    CHECK(norm.is_fixed);
    CHECK(Contains(norm.text, "`batch_norm`: expected evaluation mode"));
    CHECK(Contains(norm.text, "fixed in its graph, which uses the batch's statistics"));
  }
}

TEST_CASE("an argument that is computed from constants is seen through") {
  CHECK(FaultOf("return torch.dropout(x, 0.5, self.training or 1 < 2)", false).is_fixed);
  CHECK(FaultOf("return torch.dropout(x, 0.5, not self.training)", false).is_fixed);
  CHECK(FaultOf("return torch.dropout(x, 0.5, self.training and 1 < 2)", false).text.empty());
}

TEST_CASE("a normalization is named before a dropout") {
  const TrainingFault fault = FaultOf(
      "return torch.batch_norm(torch.dropout(x, 0.5, True), None, None, None, None, True, 0.1, "
      "1e-5, False)",
      false);
  CHECK(Contains(fault.text, "`batch_norm`"));
}

TEST_CASE("what drops nothing, or normalizes each image by itself, is no fault") {
  CHECK(FaultOf("return torch.dropout(x, 0.0, True)", false).text.empty());
  CHECK(FaultOf("return torch.flatten(torch.instance_norm(x.view([-1, 1, 10]), None, None, None, "
                "None, True, 0.1, 1e-5, False), 1)",
                false)
            .text.empty());
}
