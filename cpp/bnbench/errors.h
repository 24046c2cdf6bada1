// The ways a run can fail, the exit code of each, and the one form of every error text.
#ifndef BNBENCH_ERRORS_H_
#define BNBENCH_ERRORS_H_

#include <stdexcept>
#include <string>
#include <utility>

namespace bnbench {

// Documented in `bnbench-eval --help`; scripts rely on the numbers.
enum class ExitCode : int {
  kAgreed = 0,
  kInternal = 1,   // a bug in bnbench, or the output could not be written
  kUsage = 2,      // the command line asks for something that does not exist
  kData = 3,       // the test set is missing, malformed or not the expected one
  kModel = 4,      // a model is missing, malformed or not the one in its manifest
  kDisagreed = 5,  // the model ran, and its results are not those of its manifest
};

// "KEY: expected WHAT, got WHAT; DO THIS". An empty `advice` is left out.
inline std::string ComposeError(const std::string& key, const std::string& expected,
                                const std::string& got, const std::string& advice = "") {
  return key + ": expected " + expected + ", got " + got + (advice.empty() ? "" : "; " + advice);
}

class Error : public std::runtime_error {
 public:
  // `key` is what `message` begins with: the option, file or field that is wrong.
  Error(ExitCode code, std::string key, const std::string& message)
      : std::runtime_error(message), code_(code), key_(std::move(key)) {}
  ExitCode code() const { return code_; }
  const std::string& key() const { return key_; }

 private:
  ExitCode code_;
  std::string key_;
};

template <ExitCode kCode>
class ErrorOf : public Error {
 public:
  ErrorOf(const std::string& key, const std::string& expected, const std::string& got,
          const std::string& advice = "")
      : Error(kCode, key, ComposeError(key, expected, got, advice)) {}
};

using InternalError = ErrorOf<ExitCode::kInternal>;
using UsageError = ErrorOf<ExitCode::kUsage>;
using DataError = ErrorOf<ExitCode::kData>;
using ModelError = ErrorOf<ExitCode::kModel>;

}  // namespace bnbench

#endif  // BNBENCH_ERRORS_H_
