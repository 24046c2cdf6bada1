#include "bnbench/model/session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "bnbench/io/sha256.h"
#include "bnbench/io/test_set.h"
#include "bnbench/model/evaluate.h"
#include "bnbench/model/manifest.h"
#include "bnbench/model/outputs.h"
#include "bnbench/model/verify.h"
#include "bnbench/parallel.h"

namespace bnbench {
namespace {

void CheckModelBytes(const std::string& path, const std::string& bytes, const Manifest& manifest) {
  const std::string found = Sha256Hex(bytes);
  if (bytes.size() == manifest.model_size_bytes && found == manifest.model_sha256) return;
  throw ModelError(path,
                   "the model of its manifest, " + std::to_string(manifest.model_size_bytes) +
                       " bytes with SHA-256 " + manifest.model_sha256,
                   std::to_string(bytes.size()) + " bytes with " + found, "export the model again");
}

void CheckData(const SessionSpec& spec, const std::optional<Manifest>& manifest,
               const TestSet& test_set) {
  if (manifest) {
    CheckTestSetHashes(test_set, manifest->test_images_sha256, manifest->test_labels_sha256,
                       "the model's manifest");
  } else if (spec.check_data) {
    CheckTestSetHashes(test_set, kFashionTestImagesSha256, kFashionTestLabelsSha256,
                       "FashionMNIST (--unchecked-data accepts others)");
  }
}

// Nothing is loaded before its hash is checked, and no number is set before all checks are done.
EvaluationRecord EvaluateModelFile(const SessionSpec& spec, const TestSet& test_set,
                                   ModelRecord* record) {
  std::optional<Manifest> manifest;
  if (spec.use_manifest) {
    manifest =
        ReadManifest(spec.manifest_path.empty() ? ManifestPath(record->path) : spec.manifest_path);
  }
  const std::string bytes = ReadModelFile(record->path);
  if (manifest) CheckModelBytes(record->path, bytes, *manifest);
  CheckData(spec, manifest, test_set);

  const Model model = Model::Load(bytes, record->path, spec.device);
  EvaluationRecord found = Evaluate(model, test_set.images, test_set.labels, spec.batch_size);
  record->status = Status::kUnchecked;
  record->exit_code = ExitCode::kAgreed;
  record->training = !model.training_fault().empty();
  record->reason = model.training_fault();
  if (manifest) {
    const VerificationRecord verified = Verify(*manifest, found, spec.logit_tolerance);
    // Results in evaluation mode may agree and yet not be those of the model as it was saved.
    const bool agreed = verified.agreed && !*record->training;
    record->status = agreed ? Status::kAgreed : Status::kDisagreed;
    record->exit_code = agreed ? ExitCode::kAgreed : ExitCode::kDisagreed;
    if (!verified.agreed) {
      record->reason += (*record->training ? "; " : "") + verified.reason;
    }
    record->exporter_torch_version = manifest->torch_version;
    record->expected_correct = manifest->correct;
    record->disagreements = verified.disagreements;
    record->num_probes = manifest->probes.size();
    record->max_abs_logit_diff = verified.max_abs_logit_diff;
    record->allowed_logit_diff = verified.allowed_logit_diff;
  }
  record->correct = found.correct;
  record->total = test_set.count();
  record->seconds = found.seconds;
  return found;
}

ModelRecord RunModel(const SessionSpec& spec, const TestSet& test_set, std::size_t index,
                     Outputs* outputs) {
  const std::string& path = spec.models[index];
  ModelRecord record;
  record.path = path;
  std::optional<EvaluationRecord> found;
  try {
    found = EvaluateModelFile(spec, test_set, &record);
  } catch (const Error& error) {
    record = ModelRecord{};
    record.path = path;
    record.exit_code = error.code();
    record.reason = error.what();
  }
  // A model that disagrees has its results written as well: that is when one needs them.
  if (found) {
    outputs->Write(index, *found);
  } else {
    outputs->WriteUnusable(index);
  }
  return record;
}

int ChooseThreads(const SessionSpec& spec) {
  const auto most = static_cast<int>(std::min<std::size_t>(spec.models.size(), kMaxThreads));
  return std::clamp(spec.threads.value_or(NumProcessors()), 1, std::max(most, 1));
}

void RunModels(const SessionSpec& spec, SessionRecord* session) {
  const TestSet test_set = LoadTestSet(spec.data_folders);
  session->total = test_set.count();
  session->threads = ChooseThreads(spec);
  Outputs outputs(spec.logits_path, spec.predictions_path, spec.models.size(), test_set.count());

  const auto start = std::chrono::steady_clock::now();
  std::vector<ModelRecord> models(spec.models.size());
  ForEachInParallel(
      models.size(), *session->threads,
      // LibTorch's own threads are not used; OpenMP keeps their number for each calling thread.
      [] { SetNumThreads(1); },
      [&](std::size_t i) { models[i] = RunModel(spec, test_set, i, &outputs); });
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  session->seconds = elapsed.count();
  for (const ModelRecord& model : models) {
    session->exit_code = std::max(session->exit_code, model.exit_code);
  }
  session->models = std::move(models);
  outputs.Commit();
}

}  // namespace

SessionRecord RunSession(const SessionSpec& spec) {
  SessionRecord session;
  session.torch_version = TorchVersion();
  session.device = spec.device;
  session.batch_size = spec.batch_size;
  try {
    if (spec.device == Device::kCuda) EnableCuda();
    RunModels(spec, &session);
  } catch (const Error& error) {
    session.error = error.what();
    session.exit_code = error.code();
  }
  return session;
}

}  // namespace bnbench
