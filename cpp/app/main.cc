// bnbench-eval: evaluates exported models with LibTorch and compares them with their manifests.

#include <signal.h>

#include <atomic>
#include <exception>
#include <iostream>
#include <string>

#include "app/options.h"
#include "bnbench/model/libtorch.h"
#include "bnbench/model/report.h"
#include "bnbench/model/session.h"

namespace {

// The signal that asked the program to end; 0 if none did.
std::atomic<int> stop_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

// The session ends at the next signal that asks for it, once its unfinished files are removed.
void HandleSignals() {
  struct sigaction action {};
  action.sa_handler = [](int number) { stop_signal.store(number); };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);  // as under nohup
  }
  signal(SIGXFSZ, SIG_IGN);  // a file that may grow no more is an error of writing it
}

// Ends the program by the signal that it was sent, as its caller expects.
void EndBySignal() {
  const int number = stop_signal.load();
  if (number == 0) return;
  signal(number, SIG_DFL);
  raise(number);
}

bnbench::SessionRecord Failure(bnbench::ExitCode code, const std::string& message) {
  bnbench::SessionRecord session;
  session.runtime = bnbench::LibTorchRuntime().name();
  session.exit_code = code;
  session.error = message;
  return session;
}

// Parses, runs, and never throws.
bnbench::SessionRecord Run(int argc, char** argv, bool* json, std::string* text) {
  try {
    bnbench::Options options = bnbench::ParseOptions(argc, argv);
    *json = options.json;
    *text = options.text;
    if (!text->empty()) return {};
    options.session.stop = &stop_signal;
    return bnbench::RunSession(options.session, bnbench::LibTorchRuntime());
  } catch (const bnbench::Error& error) {
    return Failure(error.code(), error.what());
  } catch (const std::exception& error) {
    return Failure(bnbench::ExitCode::kInternal,
                   bnbench::ComposeError("internal", "no exception", error.what(), "report it"));
  }
}

}  // namespace

int main(int argc, char** argv) {
  HandleSignals();
  bool json = bnbench::WantsJson(argc, argv);
  std::string text;
  const bnbench::SessionRecord session = Run(argc, argv, &json, &text);
  EndBySignal();
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
