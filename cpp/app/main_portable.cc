// bnbench-eval-portable: evaluates torch.export archives without LibTorch.

#include "app/run.h"
#include "bnbench/portable/runtime.h"

int main(int argc, char** argv) {
  const bnbench::ProgramSpec program = {
      .name = "bnbench-eval-portable",
      .model = "MODEL.pt2",
      .description =
          "Evaluates classifiers in torch.export archives on labeled inputs, without LibTorch, "
          "and\n"
          "compares each with the manifest beside it (MODEL.pt2.json for MODEL.pt2): the same "
          "file, the\n"
          "same correct count, the same predictions, the same scores within a tolerance. 'bnbench "
          "seal'\n"
          "makes the manifest.",
      .warning =
          "An archive holds no code: a graph of operators, which are all known or the model is "
          "refused,\n"
          "and numbers. Results depend neither on the batch size nor on the threads or the "
          "processor."};
  return bnbench::RunProgram(argc, argv, program, bnbench::PortableRuntime());
}
