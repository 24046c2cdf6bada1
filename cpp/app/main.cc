// bnbench-eval: evaluates exported models with LibTorch and compares them with their manifests.

#include <exception>
#include <iostream>
#include <string>

#include "app/options.h"
#include "bnbench/model/report.h"
#include "bnbench/model/session.h"

namespace {

bnbench::SessionRecord Failure(bnbench::ExitCode code, const std::string& message) {
  bnbench::SessionRecord session;
  session.exit_code = code;
  session.error = message;
  return session;
}

// Parses, runs, and never throws.
bnbench::SessionRecord Run(int argc, char** argv, bool* json, std::string* text) {
  try {
    const bnbench::Options options = bnbench::ParseOptions(argc, argv);
    *json = options.json;
    *text = options.text;
    if (!text->empty()) return {};
    return bnbench::RunSession(options.session);
  } catch (const bnbench::Error& error) {
    return Failure(error.code(), error.what());
  } catch (const std::exception& error) {
    return Failure(bnbench::ExitCode::kInternal,
                   bnbench::ComposeError("internal", "no exception", error.what(), "report it"));
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool json = bnbench::WantsJson(argc, argv);
  std::string text;
  const bnbench::SessionRecord session = Run(argc, argv, &json, &text);
  if (text.empty()) {
    text = json ? bnbench::FormatJson(session) : bnbench::FormatText(session);
  }
  std::cout << text << std::flush;
  std::cerr << bnbench::FormatErrors(session) << std::flush;
  if (!std::cout) {
    std::cerr << "bnbench-eval: error: standard output: expected to write, got a failure\n";
    return static_cast<int>(bnbench::ExitCode::kInternal);
  }
  return static_cast<int>(session.exit_code);
}
