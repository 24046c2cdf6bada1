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
          "An archive holds no code: a graph of operators, and numbers. A model with an unknown "
          "operator is\n"
          "refused. Results depend neither on the batch size nor on the number of threads."};
  return bnbench::RunProgram(argc, argv, program, bnbench::PortableRuntime());
}
