// bnbench-eval: evaluates TorchScript models with LibTorch.

#include "app/run.h"
#include "bnbench/model/libtorch.h"

int main(int argc, char** argv) {
  const bnbench::ProgramSpec program = {
      .name = "bnbench-eval",
      .model = "MODEL.pt",
      .description =
          "Evaluates TorchScript classifiers on labeled inputs with LibTorch, and compares each "
          "with the\n"
          "manifest beside it (MODEL.json for MODEL.pt): the same file, the same correct count, "
          "the same\n"
          "predictions, the same scores within a tolerance. 'bnbench seal' makes the manifest.",
      .warning =
          "A TorchScript file is code, with or without a manifest. The SHA-256 in a manifest is a\n"
          "checksum, which anybody can make: check a signature of the manifest before you run "
          "files of\n"
          "others (see docs/verify-a-model.md). A model has limits of time and memory, but no "
          "sandbox.\n"
          "What it prints goes nowhere."};
  return bnbench::RunProgram(argc, argv, program, bnbench::LibTorchRuntime());
}
