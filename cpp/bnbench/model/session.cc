#include "bnbench/model/session.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <utility>

#include "bnbench/children.h"
#include "bnbench/io/sha256.h"
#include "bnbench/io/test_set.h"
#include "bnbench/model/answer.h"
#include "bnbench/model/evaluate.h"
#include "bnbench/model/manifest.h"
#include "bnbench/model/outputs.h"
#include "bnbench/model/verify.h"

namespace bnbench {
namespace {

constexpr char kExportAgain[] = "export the model again";

constexpr std::size_t kHashSize = 64;

// What a child has to know of a manifest: the hashes of model, images and labels, and the model's
// size. Empty without a manifest.
std::string EncodeRequest(const std::optional<Manifest>& manifest) {
  if (!manifest) return {};
  return manifest->model_sha256 + manifest->test_images_sha256 + manifest->test_labels_sha256 +
         std::to_string(manifest->model_size_bytes);
}

// Reads the model's bytes and checks them and the data: nothing is loaded before that.
std::string ReadCheckedModel(const SessionSpec& spec, const TestSet& test_set,
                             const std::string& path, const std::string& request) {
  if (request.empty()) {
    std::string bytes = ReadModelFile(path);
    if (spec.check_data) {
      CheckTestSetHashes(test_set, kFashionTestImagesSha256, kFashionTestLabelsSha256,
                         "FashionMNIST (--unchecked-data accepts others)");
    }
    return bytes;
  }
  const std::string sha256 = request.substr(0, kHashSize);
  const std::string size = request.substr(3 * kHashSize);
  const std::string expected =
      "the model of its manifest, " + size + " bytes with SHA-256 " + sha256;
  std::string bytes = ReadModelFile(path, std::stoull(size), expected);
  const std::string found = Sha256Hex(bytes);
  if (std::to_string(bytes.size()) != size || found != sha256) {
    throw ModelError(path, expected, std::to_string(bytes.size()) + " bytes with " + found,
                     kExportAgain);
  }
  CheckTestSetHashes(test_set, request.substr(kHashSize, kHashSize),
                     request.substr(2 * kHashSize, kHashSize), "the model's manifest");
  return bytes;
}

// What a child does.
ModelAnswer RunModelFile(const SessionSpec& spec, const TestSet& test_set, const std::string& path,
                         const std::string& request) {
  ModelAnswer answer;
  try {
    const std::string bytes = ReadCheckedModel(spec, test_set, path, request);
    if (spec.device == Device::kCuda) EnableCuda();
    const Model model = Model::Load(bytes, path, spec.device);
    answer.training_fault = model.training_fault();
    answer.logits = TimeLogits(model, test_set.images, spec.batch_size, &answer.seconds);
  } catch (const Error& error) {
    answer.error = error;
  }
  return answer;
}

// Opens CUDA in a child, for a process that has opened it can't share it with its children.
void CheckCuda() {
  const ChildLimits limits{.seconds = 600, .answer_bytes = MaxAnswerBytes(0)};
  ChildEnd ended;
  ForEachInChild(1, 1, limits,
                 {[](std::size_t) { return std::string(); },
                  [](std::size_t, const std::string&) {
                    ModelAnswer answer;
                    try {
                      EnableCuda();
                    } catch (const Error& error) {
                      answer.error = error;
                    }
                    return EncodeAnswer(answer);
                  },
                  [&](std::size_t, ChildEnd end) { ended = std::move(end); }});
  if (!ended.failure.empty()) {
    throw UsageError("--device", "to open CUDA", ended.failure, "use --device cpu");
  }
  const ModelAnswer answer = DecodeAnswer(ended.answer, 0, "--device");
  if (answer.error) throw Error(*answer.error);
}

// The models of a session, from their manifests to their records.
class ModelRuns {
 public:
  ModelRuns(const SessionSpec& spec, const TestSet& test_set)
      : spec_(spec),
        test_set_(test_set),
        outputs_(spec.logits_path, spec.predictions_path, spec.models.size(), test_set.count()),
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
    limits.answer_bytes = MaxAnswerBytes(test_set_.count() * kNumClasses);
    ChildWork work;
    work.begin = [this](std::size_t i) { return Begin(i); };
    work.work = [this](std::size_t i, const std::string& request) {
      return EncodeAnswer(RunModelFile(spec_, test_set_, spec_.models[i], request));
    };
    work.take = [this](std::size_t i, ChildEnd end) { Take(i, std::move(end)); };
    work.is_shared = spec_.use_manifest && !spec_.isolate;
    ForEachInChild(records_.size(), at_a_time, limits, work, spec_.stop);
  }

  // Puts the files in place, unless one of them could not be written.
  void Commit() {
    if (!output_error_) Write([this] { outputs_.Commit(); });
  }

  const std::optional<Error>& output_error() const { return output_error_; }
  std::vector<ModelRecord> TakeRecords() { return std::move(records_); }

 private:
  // Reads the manifest, and returns what the child has to know of it; nothing if that fails.
  std::optional<std::string> Begin(std::size_t i) {
    const bool has_begun = Try(i, [&] {
      if (!spec_.use_manifest) return;
      manifests_[i] = ReadManifest(spec_.manifest_path.empty() ? ManifestPath(spec_.models[i])
                                                               : spec_.manifest_path);
    });
    if (!has_begun) return std::nullopt;
    return EncodeRequest(manifests_[i]);
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
      ModelAnswer answer = DecodeAnswer(end.answer, test_set_.count() * kNumClasses, path);
      if (answer.error) throw Error(*answer.error);
      const EvaluationRecord found =
          Score(std::move(answer.logits), test_set_.labels, answer.seconds);
      Judge(answer.training_fault, found, manifests_[i], &records_[i]);
      // A model that disagrees has its results written as well: that is when one needs them.
      Write([&] { outputs_.Write(i, found); });
    });
    manifests_[i].reset();
  }

  // No number is set before all checks are done.
  void Judge(const TrainingFault& fault, const EvaluationRecord& found,
             const std::optional<Manifest>& manifest, ModelRecord* record) const {
    if (manifest) {
      const VerificationRecord verified = Verify(*manifest, found, spec_.logit_tolerance);
      // Results in evaluation mode may agree and yet not be those of the model as it was saved.
      const bool agreed = verified.agreed && fault.text.empty();
      record->status = agreed ? Status::kAgreed : Status::kDisagreed;
      record->exit_code = agreed ? ExitCode::kAgreed : ExitCode::kDisagreed;
      record->reason = verified.reason;
      record->exporter_torch_version = manifest->torch_version;
      record->expected_correct = manifest->correct;
      record->disagreements = verified.disagreements;
      record->num_probes = manifest->probes.size();
      record->max_abs_logit_diff = verified.max_abs_logit_diff;
      record->allowed_logit_diff = verified.allowed_logit_diff;
    } else {
      record->status = Status::kUnchecked;
      record->exit_code = fault.is_fixed ? ExitCode::kDisagreed : ExitCode::kAgreed;
      record->reason.clear();
    }
    if (!fault.text.empty()) {
      record->reason = fault.text + (record->reason.empty() ? "" : "; ") + record->reason;
    }
    record->training = !fault.text.empty();
    record->correct = found.correct;
    record->total = test_set_.count();
    record->seconds = found.seconds;
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
  const TestSet& test_set_;
  Outputs outputs_;
  std::vector<std::optional<Manifest>> manifests_;  // of the models that are running
  std::vector<ModelRecord> records_;
  std::optional<Error> output_error_;
};

int ChooseThreads(const SessionSpec& spec) {
  const auto most = static_cast<int>(std::min<std::size_t>(spec.models.size(), kMaxThreads));
  return std::clamp(spec.threads.value_or(NumProcessors()), 1, std::max(most, 1));
}

void RunModels(const SessionSpec& spec, SessionRecord* session) {
  const TestSet test_set = LoadTestSet(spec.data_folders);
  session->total = test_set.count();
  session->is_fashion_mnist = test_set.is_fashion_mnist();
  session->threads = ChooseThreads(spec);
  ModelRuns runs(spec, test_set);

  const auto start = std::chrono::steady_clock::now();
  SetNumThreads(1);  // of LibTorch, here and in each child
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

SessionRecord RunSession(const SessionSpec& spec) {
  SessionRecord session;
  session.torch_version = TorchVersion();
  session.device = spec.device;
  session.batch_size = spec.batch_size;
  try {
    if (spec.device == Device::kCuda) CheckCuda();
    RunModels(spec, &session);
  } catch (const Error& error) {
    session.error = error.what();
    session.exit_code = error.code();
  }
  return session;
}

}  // namespace bnbench
