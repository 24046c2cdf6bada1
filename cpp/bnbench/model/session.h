// One call of bnbench-eval: a test set, some models, and the result of each. It needs no LibTorch:
// what runs the models is given.
#ifndef BNBENCH_MODEL_SESSION_H_
#define BNBENCH_MODEL_SESSION_H_

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/model/benchmark.h"
#include "bnbench/model/classifier.h"
#include "bnbench/model/preprocessing.h"

namespace bnbench {

// Above this many threads OpenMP may fail to start them, and then ends the process.
inline constexpr int kMaxThreads = 256;

struct SessionSpec {
  std::vector<std::string> models;
  std::string manifest_path;              // of the only model; empty: each has its own beside it
  std::vector<std::string> data_folders;  // the first that has the test set is used
  std::string inputs_path;                // instead of the folders: a file with the inputs
  std::string targets_path;               // and one with their classes; empty: no score
  std::string logits_path;                // where to write all logits; empty: nowhere
  std::string predictions_path;           // the same for predictions
  std::optional<std::size_t> batch_size;  // none: 1000, or fewer if inputs are large
  // Models evaluated side by side, each in a process of its own; none: one per processor, or one
  // with `benchmark`.
  std::optional<int> threads;
  // One: two threads mostly wait for each other on a small network. OpenMP's threads spin while
  // they wait, which on a busy machine turned 0.03 s of evaluation into 0.6 s.
  int threads_per_model = 1;
  // Whether each model has a fresh process. A bare one always has; those with a manifest otherwise
  // share one per thread, since a fresh one takes 25 ms, more than such a model.
  bool isolate = false;
  int timeout_seconds = 600;  // for each model, with loading it
  int memory_mib = 4096;      // the same
  Device device = Device::kCpu;
  bool use_manifest = true;
  bool check_data = true;
  // Of models without a manifest.
  std::optional<std::vector<Step>> steps;  // none: those of FashionMNIST's bytes, or no step
  OutputSpec output;
  bool benchmark = false;      // repeat until the interval of the time is narrow
  int benchmark_seconds = 60;  // or until this limit
  double logit_tolerance = 1e-4;
  const std::atomic<int>* stop = nullptr;  // ends the session once it is not 0; may be null
};

enum class Status { kAgreed, kDisagreed, kUnusable, kUnchecked };

// What was found for one model. Undefined is empty, never 0.
struct ModelRecord {
  std::string path;
  Status status = Status::kUnusable;
  ExitCode exit_code = ExitCode::kModel;
  std::string reason;                  // why it is unusable or disagrees, or a warning
  std::optional<bool> training;        // whether it was saved in training mode
  std::string exporter_torch_version;  // empty if no manifest says so
  std::string hint;                    // why the accuracy may be as low as chance; empty: it is not
  std::optional<bool> depends_on_batch;
  std::optional<bool> is_deterministic;
  std::optional<OutputKind> output_kind;
  std::optional<std::size_t> num_classes;  // none if it returns labels
  std::optional<std::size_t> correct;
  std::optional<std::size_t> correct_top5;
  std::optional<std::size_t> total;
  std::optional<std::size_t> expected_correct;
  std::optional<std::size_t> disagreements;
  std::optional<std::size_t> explained;  // those that rounding in 16 bits explains
  std::optional<std::size_t> num_probes;
  std::optional<double> max_abs_logit_diff;
  std::optional<double> allowed_logit_diff;
  std::optional<double> seconds;  // from the stored inputs to their scores
  std::optional<BenchmarkRecord> benchmark;
};

struct SessionRecord {
  std::string runtime;
  std::string runtime_version;
  Device device = Device::kCpu;
  std::optional<int> threads;
  int threads_per_model = 1;
  std::size_t batch_size = 0;
  std::optional<std::size_t> total;
  std::optional<bool> is_fashion_mnist;  // whether the test set of a folder is, by its known hashes
  std::optional<double> seconds;         // of all models, with reading, checking and loading them
  std::vector<ModelRecord> models;
  std::string error;  // why no model was evaluated
  ExitCode exit_code = ExitCode::kAgreed;
};

// Loads the test set once and evaluates each model in a process of its own; never throws an Error.
// A model that fails in whatever way does not keep the others from being evaluated; the highest
// exit code is the session's. No result depends on `threads`. The process that calls
// this must have one thread. A session that was stopped has neither written files nor all results.
SessionRecord RunSession(const SessionSpec& spec, const Runtime& runtime);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_SESSION_H_
