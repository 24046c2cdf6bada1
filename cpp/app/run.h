// What both programs do: read the command line, run the session, print the report.
#ifndef BNBENCH_APP_RUN_H_
#define BNBENCH_APP_RUN_H_

#include "app/options.h"
#include "bnbench/model/classifier.h"

namespace bnbench {

// Returns the program's exit code, and throws nothing.
int RunProgram(int argc, char** argv, const ProgramSpec& program, const Runtime& runtime);

}  // namespace bnbench

#endif  // BNBENCH_APP_RUN_H_
