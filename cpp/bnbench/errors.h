// The ways a run can fail, and the exit code each of them ends the program with.
#ifndef BNBENCH_ERRORS_H_
#define BNBENCH_ERRORS_H_

#include <stdexcept>
#include <string>

namespace bnbench {

// Documented in `bnbench-eval --help`; scripts rely on the numbers.
enum class ExitCode : int {
  kAgreed = 0,
  kInternal = 1,   // a fault of ours, or the output could not be written
  kUsage = 2,      // the command line asks for something that is not there
  kData = 3,       // the test set is missing, malformed or not the expected one
  kModel = 4,      // a model is missing, malformed or not the one in its manifest
  kDisagreed = 5,  // the model ran, and its results are not those of its manifest
};

// Every error says in one or two lines what was expected, what it got and what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(ExitCode::kUsage, message) {}
};

class DataError : public Error {
 public:
  explicit DataError(const std::string& message) : Error(ExitCode::kData, message) {}
};

class ModelError : public Error {
 public:
  explicit ModelError(const std::string& message) : Error(ExitCode::kModel, message) {}
};

}  // namespace bnbench

#endif  // BNBENCH_ERRORS_H_
