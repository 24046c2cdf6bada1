// The command line of bnbench-eval.
#ifndef BNBENCH_APP_OPTIONS_H_
#define BNBENCH_APP_OPTIONS_H_

#include <string>

#include "bnbench/model/session.h"

namespace bnbench {

// A program of this command line: which models it takes.
struct ProgramSpec {
  std::string name;         // such as "bnbench-eval"
  std::string model;        // such as "MODEL.pt"
  std::string description;  // its first paragraph of help
  std::string warning;      // its last one
};

struct Options {
  SessionSpec session;
  bool json = false;
  std::string text;  // of --help or --version, to print instead of evaluating; else empty
};

// Parses the command line; throws UsageError.
Options ParseOptions(int argc, const char* const* argv, const ProgramSpec& program);

// Whether --json was asked for, also on a command line that does not parse.
bool WantsJson(int argc, const char* const* argv);

}  // namespace bnbench

#endif  // BNBENCH_APP_OPTIONS_H_
