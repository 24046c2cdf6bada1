#include "tests/tiny_models.h"

#include <torch/csrc/jit/api/module.h>

#include <sstream>

namespace bnbench::testing {

std::string ScriptModel(const std::string& source, bool training) {
  torch::jit::Module module("TinyModel");
  module.register_attribute("training", c10::BoolType::get(), training);
  module.define(source);
  std::ostringstream stream;
  module.save(stream);
  return stream.str();
}

std::string FirstTenPixelsModel() {
  return ScriptModel("def forward(self, x):\n  return torch.flatten(x, 1)[:, :10]\n");
}

}  // namespace bnbench::testing
