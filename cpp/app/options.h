// The command line of bnbench-eval.
#ifndef BNBENCH_APP_OPTIONS_H_
#define BNBENCH_APP_OPTIONS_H_

#include <string>

#include "bnbench/model/session.h"

namespace bnbench {

struct Options {
  SessionSpec session;
  bool json = false;
  std::string text;  // of --help or --version, to print instead of evaluating; else empty
};

// Parses the command line; throws UsageError.
Options ParseOptions(int argc, const char* const* argv);

// Whether --json was asked for, also on a command line that does not parse.
bool WantsJson(int argc, const char* const* argv);

}  // namespace bnbench

#endif  // BNBENCH_APP_OPTIONS_H_
