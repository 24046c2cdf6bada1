#ifndef BNBENCH_TESTS_TINY_MODELS_H_
#define BNBENCH_TESTS_TINY_MODELS_H_

#include <string>

namespace bnbench::testing {

// The bytes of a TorchScript file whose `forward` has this source, such as
// "def forward(self, x):\n  return x\n". In training mode it is as torch.jit.script leaves a model
// that nobody called eval() on.
std::string ScriptModel(const std::string& source, bool training = false);

// A model whose logits are an image's first ten pixels.
std::string FirstTenPixelsModel();

}  // namespace bnbench::testing

#endif  // BNBENCH_TESTS_TINY_MODELS_H_
