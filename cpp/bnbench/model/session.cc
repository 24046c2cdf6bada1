#include "bnbench/model/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "bnbench/children.h"
#include "bnbench/io/file.h"
#include "bnbench/io/sha256.h"
#include "bnbench/io/test_set.h"
#include "bnbench/model/answer.h"
#include "bnbench/model/manifest.h"
#include "bnbench/model/neighbors.h"
#include "bnbench/model/outputs.h"
#include "bnbench/model/request.h"
#include "bnbench/model/verify.h"

namespace bnbench {
namespace {

constexpr char kExportAgain[] = "export the model again";
constexpr std::size_t kMaxModelBytes = std::size_t{4} << 30;
// Of a model that nothing is known of; --classes allows more.
constexpr std::size_t kMaxUnknownClasses = 32'768;

// Reads the model's bytes and checks them: nothing is loaded before that.
std::string ReadCheckedModel(const std::string& path, const ModelRequest& request) {
  constexpr char kNameAnother[] = "name another file or export it again";
  if (request.sha256.empty()) {
    return ReadFile<ModelError>(path, kMaxModelBytes, "a model file", kNameAnother);
  }
  const std::string expected = "the model of its manifest, " + std::to_string(request.size_bytes) +
                               " bytes with SHA-256 " + request.sha256;
  std::string bytes = ReadFile<ModelError>(path, request.size_bytes, expected, kNameAnother);
  const std::string found = Sha256Hex(bytes);
  if (bytes.size() != request.size_bytes || found != request.sha256) {
    throw ModelError(path, expected, std::to_string(bytes.size()) + " bytes with " + found,
                     kExportAgain);
  }
  return bytes;
}

// A loaded model over the stored inputs.
class Run {
 public:
  Run(Classifier* classifier, const Preprocessor& preprocessor, const Array& inputs)
      : classifier_(classifier),
        preprocessor_(preprocessor),
        inputs_(inputs),
        stored_size_(inputs.part_size()) {}

  // All inputs, `batch_size` at a time. Each batch is made from the stored bytes anew: a model that
  // writes to its input spoils no inputs for itself or for others.
  std::vector<float> All(std::size_t batch_size) const {
    std::vector<float> scores;
    const std::size_t count = inputs_.count();
    for (std::size_t start = 0; start < count; start += batch_size) {
      const std::size_t size = std::min(batch_size, count - start);
      preprocessor_.Run(Stored(start), size, classifier_->Prepare(size));
      classifier_->Run(size, &scores);
      if (start == 0) scores.reserve(count * classifier_->width());
    }
    return scores;
  }

  // The same, and the time it takes.
  std::vector<float> TimeAll(std::size_t batch_size, double* seconds) const {
    const auto start = std::chrono::steady_clock::now();
    std::vector<float> scores = All(batch_size);
    *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return scores;
  }

  std::vector<float> Some(std::span<const std::size_t> inputs) const {
    std::byte* batch = classifier_->Prepare(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      preprocessor_.Run(Stored(inputs[i]), 1, batch + i * preprocessor_.bytes_per_input());
    }
    std::vector<float> scores;
    classifier_->Run(inputs.size(), &scores);
    return scores;
  }

 private:
  const std::byte* Stored(std::size_t input) const {
    return inputs_.bytes.data() + input * stored_size_;
  }

  Classifier* classifier_;
  const Preprocessor& preprocessor_;
  const Array& inputs_;
  std::size_t stored_size_;
};

// What a child does.
ModelAnswer RunModelFile(const SessionSpec& spec, const Runtime& runtime, const TestSet& test_set,
                         const std::string& path, const std::string& text) {
  ModelAnswer answer;
  try {
    const ModelRequest request = DecodeRequest(text);
    const std::string bytes = ReadCheckedModel(path, request);
    runtime.Open(spec.device);
    const Preprocessor preprocessor(request.input, path);
    const std::unique_ptr<Classifier> classifier = runtime.Load(
        bytes, path, preprocessor.dtype(), preprocessor.shape(), request.output, spec.device);
    const Run run(classifier.get(), preprocessor, test_set.inputs());
    answer.training_fault = classifier->training_fault();
    answer.scores.values = run.TimeAll(*spec.batch_size, &answer.seconds);
    answer.scores.kind = classifier->kind();
    answer.scores.width = classifier->width();
    answer.epsilon = classifier->epsilon();
    answer.neighbor_fault =
        FindNeighborFault(answer.scores, answer.epsilon,
                          [&](std::span<const std::size_t> inputs) { return run.Some(inputs); });
    if (spec.benchmark) {
      const auto time = [&] {
        double seconds = 0;
        run.TimeAll(*spec.batch_size, &seconds);
        return seconds;
      };
      answer.benchmark = RunBenchmark(time, spec.benchmark_seconds);
    }
  } catch (const Error& error) {
    answer.error = error;
  }
  return answer;
}

// Opens CUDA in a child, for a process that has opened it can't share it with its children.
void CheckCuda(const Runtime& runtime) {
  const ChildLimits limits{.seconds = 600, .answer_bytes = MaxAnswerBytes(1)};
  ChildEnd ended;
  ForEachInChild(1, 1, limits,
                 {[](std::size_t) { return std::string(); },
                  [&](std::size_t, const std::string&) {
                    ModelAnswer answer;
                    answer.scores = {OutputKind::kLogits, 1, {0}};
                    try {
                      runtime.Open(Device::kCuda);
                    } catch (const Error& error) {
                      answer.error = error;
                    }
                    return EncodeAnswer(answer);
                  },
                  [&](std::size_t, ChildEnd end) { ended = std::move(end); }});
  if (!ended.failure.empty()) {
    throw UsageError("--device", "to open CUDA", ended.failure, "use --device cpu");
  }
  const ModelAnswer answer = DecodeAnswer(ended.answer, 1, "--device");
  if (answer.error) throw Error(*answer.error);
}

// What a model without a manifest is told to be fed with.
ModelRequest MakeBareRequest(const SessionSpec& spec, const Array& inputs) {
  ModelRequest request;
  request.input = {{inputs.shape.begin() + 1, inputs.shape.end()}, inputs.dtype, {}};
  request.output = spec.output;
  if (spec.steps) {
    request.input.steps = *spec.steps;
  } else if (spec.inputs_path.empty()) {
    // As FashionMNIST is usually fed: one channel of numbers from 0 to 1.
    Shape shape = request.input.shape;
    shape.insert(shape.begin(), 1);
    request.input.steps = {{StepKind::kDivide, {255}, {}, {}}, {StepKind::kReshape, {}, {}, shape}};
  }
  return request;
}

void CheckInputs(const Array& inputs, const InputSpec& expected) {
  const Shape shape(inputs.shape.begin() + 1, inputs.shape.end());
  if (shape == expected.shape && inputs.dtype == expected.dtype) return;
  throw DataError("test inputs",
                  "those of the model's manifest, " + std::string(Name(expected.dtype)) +
                      " of shape " + FormatShape(expected.shape) + " each",
                  std::string(Name(inputs.dtype)) + " of " + FormatShape(shape),
                  "name the file by --inputs");
}

// Why the accuracy of a model that nothing is known of may be as low as that of guessing.
std::string FindHint(const EvaluationRecord& found, std::size_t num_classes) {
  constexpr std::size_t kFewest = 50;
  const std::size_t total = found.predictions.size();
  if (!found.correct || num_classes < 2 || total < kFewest) return {};
  const double chance = 1.0 / static_cast<double>(num_classes);
  const double accuracy = static_cast<double>(*found.correct) / static_cast<double>(total);
  if (accuracy > chance + 2 * std::sqrt(chance / static_cast<double>(total))) return {};
  return "the accuracy is near that of guessing; does the model want its inputs scaled, normalized "
         "or reshaped (--preprocess)?";
}

// The models of a session, from their manifests to their records.
class ModelRuns {
 public:
  ModelRuns(const SessionSpec& spec, const Runtime& runtime, TestSet* test_set)
      : spec_(spec),
        runtime_(runtime),
        test_set_(*test_set),
        outputs_(spec.logits_path, spec.predictions_path, spec.models.size(), test_set->count()),
        manifests_(spec.models.size()),
        records_(spec.models.size()) {
    for (std::size_t i = 0; i < records_.size(); ++i) records_[i].path = spec.models[i];
  }

  void Run(int at_a_time) {
    ChildLimits limits;
    limits.seconds = spec_.timeout_seconds;
    // CUDA needs more addresses than any machine has memory.
    if (spec_.device == Device::kCpu) {
      limits.memory_bytes = static_cast<std::size_t>(spec_.memory_mib) << 20;
    }
    limits.answer_bytes =
        MaxAnswerBytes(test_set_.count() * std::max(kMaxUnknownClasses, spec_.output.num_classes));
    ChildWork work;
    work.begin = [this](std::size_t i) { return Begin(i); };
    work.work = [this](std::size_t i, const std::string& request) {
      return EncodeAnswer(RunModelFile(spec_, runtime_, test_set_, spec_.models[i], request));
    };
    work.take = [this](std::size_t i, ChildEnd end) { Take(i, std::move(end)); };
    work.is_shared = spec_.use_manifest && !spec_.isolate;
    ForEachInChild(records_.size(), at_a_time, limits, work, spec_.stop);
  }

  // Puts the files in place, unless one of them could not be written.
  void Commit() {
    std::size_t num_classes = 1;
    for (const std::int64_t target : test_set_.targets()) {
      num_classes = std::max(num_classes, static_cast<std::size_t>(target) + 1);
    }
    if (!output_error_) Write([&] { outputs_.Commit(num_classes); });
  }

  const std::optional<Error>& output_error() const { return output_error_; }
  std::vector<ModelRecord> TakeRecords() { return std::move(records_); }

 private:
  // Reads the manifest and checks the data, and returns what the child has to know; nothing if that
  // fails.
  std::optional<std::string> Begin(std::size_t i) {
    ModelRequest request;
    const bool has_begun = Try(i, [&] { request = MakeRequest(i); });
    if (!has_begun) return std::nullopt;
    return EncodeRequest(request);
  }

  ModelRequest MakeRequest(std::size_t i) {
    const std::string& path = spec_.models[i];
    if (!spec_.use_manifest) {
      if (spec_.check_data && spec_.inputs_path.empty()) {
        test_set_.CheckHashes(kFashionTestImagesSha256, kFashionTestLabelsSha256,
                              "FashionMNIST (--unchecked-data accepts others)");
      }
      return MakeBareRequest(spec_, test_set_.inputs());
    }
    manifests_[i] =
        ReadManifest(spec_.manifest_path.empty() ? ManifestPath(path) : spec_.manifest_path);
    const Manifest& manifest = *manifests_[i];
    if (!runtime_.Reads(manifest.model_format)) {
      throw ModelError(path, "a model that " + runtime_.name() + " can run",
                       "one of format " + manifest.model_format.substr(0, 20),
                       "use 'bnbench verify MODEL'");
    }
    CheckInputs(test_set_.inputs(), manifest.input);
    test_set_.CheckHashes(manifest.inputs_sha256, manifest.targets_sha256, "the model's manifest");
    return {manifest.model_sha256, manifest.model_size_bytes, manifest.input, manifest.output};
  }

  void Take(std::size_t i, ChildEnd end) {
    Try(i, [&] {
      const std::string& path = records_[i].path;
      if (!end.failure.empty()) {
        throw ModelError(path,
                         "to load and run within " + std::to_string(spec_.timeout_seconds) +
                             " s and " + std::to_string(spec_.memory_mib) + " MiB",
                         end.failure, "do not use it, or raise --timeout or --memory");
      }
      ModelAnswer answer = DecodeAnswer(end.answer, test_set_.count(), path);
      if (answer.error) throw Error(*answer.error);
      CheckWidth(answer.scores, manifests_[i], path);
      const EvaluationRecord found =
          Score(std::move(answer.scores), test_set_.targets(), answer.seconds);
      Judge(answer, found, manifests_[i], &records_[i]);
      // A model that disagrees has its results written as well: that is when one needs them.
      Write([&] { outputs_.Write(i, found); });
    });
    manifests_[i].reset();
  }

  // A damaged child could claim any number of classes.
  void CheckWidth(const Scores& scores, const std::optional<Manifest>& manifest,
                  const std::string& path) const {
    const bool has_labels = scores.kind == OutputKind::kLabels;
    if (manifest) {
      const std::size_t expected = has_labels ? 1 : manifest->output.num_classes;
      if (scores.kind != manifest->output.kind || scores.width != expected) {
        throw ModelError(path, "the output that its manifest describes", "another", kExportAgain);
      }
    }
    if (has_labels) return;
    const std::span<const std::int64_t> targets = test_set_.targets();
    const auto bad = std::ranges::find_if(
        targets, [&](std::int64_t x) { return static_cast<std::size_t>(x) >= scores.width; });
    if (bad != targets.end()) {
      throw DataError(
          path + ": targets",
          "classes from 0 to " + std::to_string(scores.width - 1) + ", as the model has them",
          std::to_string(*bad) + " for input " + std::to_string(bad - targets.begin()));
    }
  }

  // No number is set before all checks are done.
  void Judge(const ModelAnswer& answer, const EvaluationRecord& found,
             const std::optional<Manifest>& manifest, ModelRecord* record) const {
    const TrainingFault& training = answer.training_fault;
    const NeighborFault& neighbors = answer.neighbor_fault;
    // Results in evaluation mode may agree and yet not be those of the model as it was saved.
    const bool is_trusted = training.text.empty() && neighbors.text.empty();
    std::vector<std::string> reasons;
    if (!training.text.empty()) reasons.push_back(training.text);
    // Training mode explains what it does to neighbors.
    if (!neighbors.text.empty() && !training.is_fixed) reasons.push_back(neighbors.text);
    if (manifest) {
      const VerificationRecord verified =
          Verify(*manifest, found, spec_.logit_tolerance, answer.epsilon);
      const bool agreed = verified.agreed && is_trusted;
      if (!verified.reason.empty()) reasons.push_back(verified.reason);
      record->status = agreed ? Status::kAgreed : Status::kDisagreed;
      record->exit_code = agreed ? ExitCode::kAgreed : ExitCode::kDisagreed;
      record->exporter_torch_version = manifest->torch_version;
      if (found.correct) record->expected_correct = manifest->correct;
      record->disagreements = verified.disagreements;
      record->explained = verified.explained;
      record->num_probes = manifest->probes.size();
      if (!manifest->probes.empty()) {
        record->max_abs_logit_diff = verified.max_abs_logit_diff;
        record->allowed_logit_diff = verified.allowed_logit_diff;
      }
    } else {
      record->status = Status::kUnchecked;
      const bool is_wrong = training.is_fixed || !neighbors.text.empty();
      record->exit_code = is_wrong ? ExitCode::kDisagreed : ExitCode::kAgreed;
    }
    record->reason.clear();
    for (const std::string& reason : reasons) {
      record->reason += (record->reason.empty() ? "" : "; ") + reason;
    }
    const bool has_labels = found.scores.kind == OutputKind::kLabels;
    if (!has_labels) record->num_classes = found.scores.width;
    if (!manifest) {
      record->hint = FindHint(found, has_labels ? spec_.output.num_classes : found.scores.width);
    }
    record->output_kind = found.scores.kind;
    record->training = !training.text.empty();
    record->depends_on_batch = neighbors.kind == NeighborFault::Kind::kDependsOnBatch;
    record->is_deterministic = neighbors.kind != NeighborFault::Kind::kNotDeterministic;
    record->correct = found.correct;
    record->correct_top5 = found.correct_top5;
    record->total = test_set_.count();
    record->seconds = found.seconds;
    record->benchmark = answer.benchmark;
  }

  // Returns whether `body` ended well; whatever it throws is the failure of model `i`.
  template <class Body>
  bool Try(std::size_t i, const Body& body) {
    const auto fail = [&](ExitCode code, std::string reason) {
      ModelRecord record;
      record.path = records_[i].path;
      record.exit_code = code;
      record.reason = std::move(reason);
      records_[i] = std::move(record);
      manifests_[i].reset();
      Write([&] { outputs_.WriteUnusable(i); });
      return false;
    };
    const std::string& path = records_[i].path;
    try {
      body();
      return true;
    } catch (const Error& error) {
      // Every error names its model, whatever it is about.
      return fail(error.code(), (error.key() == path ? "" : path + ": ") + error.what());
    } catch (const std::bad_alloc&) {
      return fail(ExitCode::kModel, ComposeError(path, "to be checked", "not enough memory"));
    } catch (const std::exception& error) {
      return fail(ExitCode::kInternal,
                  ComposeError(path, "no exception", error.what(), "report it"));
    }
  }

  // A file that can't be written costs no model its result.
  template <class Body>
  void Write(const Body& body) {
    if (output_error_) return;
    try {
      body();
    } catch (const Error& error) {
      output_error_ = error;
    }
  }

  const SessionSpec& spec_;
  const Runtime& runtime_;
  TestSet& test_set_;
  Outputs outputs_;
  std::vector<std::optional<Manifest>> manifests_;  // of the models that are running
  std::vector<ModelRecord> records_;
  std::optional<Error> output_error_;
};

// A thousand, or as many inputs as have 2^24 numbers.
std::size_t ChooseBatchSize(const SessionSpec& spec, const Array& inputs) {
  constexpr std::size_t kMost = 1000;
  constexpr std::size_t kMostNumbers = std::size_t{1} << 24;
  const std::size_t size = std::max<std::size_t>(inputs.part_size() / SizeOf(inputs.dtype), 1);
  return spec.batch_size.value_or(std::clamp<std::size_t>(kMostNumbers / size, 1, kMost));
}

int ChooseThreads(const SessionSpec& spec) {
  const auto most = static_cast<int>(std::min<std::size_t>(spec.models.size(), kMaxThreads));
  // A model that is timed has the machine for itself.
  const int usual = spec.benchmark ? 1 : NumProcessors() / spec.threads_per_model;
  return std::clamp(spec.threads.value_or(usual), 1, std::max(most, 1));
}

void RunModels(const SessionSpec& spec, const Runtime& runtime, SessionRecord* session) {
  TestSet test_set = spec.inputs_path.empty() ? LoadTestSet(spec.data_folders)
                                              : LoadTestSet(spec.inputs_path, spec.targets_path);
  session->total = test_set.count();
  if (spec.inputs_path.empty()) session->is_fashion_mnist = test_set.is_fashion_mnist();
  session->threads = ChooseThreads(spec);
  session->batch_size = ChooseBatchSize(spec, test_set.inputs());
  SessionSpec chosen = spec;
  chosen.batch_size = session->batch_size;
  ModelRuns runs(chosen, runtime, &test_set);

  const auto start = std::chrono::steady_clock::now();
  runtime.SetNumThreads(spec.threads_per_model);  // here and in each child
  runs.Run(*session->threads);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  session->seconds = elapsed.count();
  if (spec.stop != nullptr && spec.stop->load() != 0) return;
  runs.Commit();
  if (runs.output_error()) {
    session->error = runs.output_error()->what();
    session->exit_code = runs.output_error()->code();
  }
  session->models = runs.TakeRecords();
  for (const ModelRecord& model : session->models) {
    session->exit_code = std::max(session->exit_code, model.exit_code);
  }
}

}  // namespace

SessionRecord RunSession(const SessionSpec& spec, const Runtime& runtime) {
  SessionRecord session;
  session.runtime = runtime.name();
  session.runtime_version = runtime.version();
  session.device = spec.device;
  session.threads_per_model = spec.threads_per_model;
  session.batch_size = spec.batch_size.value_or(0);
  try {
    if (spec.device == Device::kCuda) CheckCuda(runtime);
    RunModels(spec, runtime, &session);
  } catch (const Error& error) {
    session.error = error.what();
    session.exit_code = error.code();
  }
  return session;
}

}  // namespace bnbench
