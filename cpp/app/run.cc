#include "app/run.h"

#include <signal.h>

#include <atomic>
#include <exception>
#include <iostream>
#include <string>

#include "bnbench/model/report.h"
#include "bnbench/model/session.h"

namespace bnbench {
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

SessionRecord Failure(const Runtime& runtime, ExitCode code, const std::string& message) {
  SessionRecord session;
  session.runtime = runtime.name();
  session.exit_code = code;
  session.error = message;
  return session;
}

// Parses, runs, and never throws.
SessionRecord Run(int argc, char** argv, const ProgramSpec& program, const Runtime& runtime,
                  bool* json, std::string* text) {
  try {
    Options options = ParseOptions(argc, argv, program);
    *json = options.json;
    *text = options.text;
    if (!text->empty()) return {};
    options.session.stop = &stop_signal;
    return RunSession(options.session, runtime);
  } catch (const Error& error) {
    return Failure(runtime, error.code(), error.what());
  } catch (const std::exception& error) {
    return Failure(runtime, ExitCode::kInternal,
                   ComposeError("internal", "no exception", error.what(), "report it"));
  }
}

}  // namespace

int RunProgram(int argc, char** argv, const ProgramSpec& program, const Runtime& runtime) {
  HandleSignals();
  bool json = WantsJson(argc, argv);
  std::string text;
  const SessionRecord session = Run(argc, argv, program, runtime, &json, &text);
  EndBySignal();
  if (text.empty()) {
    text = json ? FormatJson(session) : FormatText(session);
  }
  std::cout << text << std::flush;
  std::cerr << FormatErrors(session, program.name) << std::flush;
  if (!std::cout) {
    std::cerr << program.name << ": error: standard output: expected to write, got a failure\n";
    return static_cast<int>(ExitCode::kInternal);
  }
  return static_cast<int>(session.exit_code);
}

}  // namespace bnbench
