#include "bnbench/model/session.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "bnbench/children.h"
#include "bnbench/io/npy.h"
#include "bnbench/model/libtorch.h"
#include "tests/fixtures.h"
#include "tests/tiny_models.h"

using bnbench::ExitCode;
using bnbench::ModelRecord;
using bnbench::SessionRecord;
using bnbench::SessionSpec;
using bnbench::Status;
using bnbench::testing::Contains;
using bnbench::testing::FirstTenPixelsModel;
using bnbench::testing::Replace;
using bnbench::testing::ScriptModel;
using bnbench::testing::SealManifest;
using bnbench::testing::SecondManifestBody;
using bnbench::testing::TemporaryFolder;
using bnbench::testing::TinyManifestBody;
using bnbench::testing::WriteTinyTestSet;

namespace {

SessionRecord RunSession(const SessionSpec& spec) {
  return bnbench::RunSession(spec, bnbench::LibTorchRuntime());
}

// A folder with the tiny test set and an exported model, and a spec that evaluates it.
struct Scene {
  Scene() {
    WriteTinyTestSet(folder, 12);
    spec.models = {Export("tiny", model, TinyManifestBody(model))};
    spec.data_folders = {folder.path()};
  }

  std::string Export(const std::string& name, const std::string& bytes,
                     const std::string& body) const {
    folder.Write(name + ".json", SealManifest(body));
    return folder.Write(name + ".pt", bytes);
  }

  ModelRecord RunOne() const {
    const SessionRecord session = RunSession(spec);
    CHECK(session.error.empty());
    REQUIRE(session.models.size() == 1);
    CHECK(session.exit_code == session.models[0].exit_code);
    return session.models[0];
  }

  // A model that is refused has no measurements.
  void CheckRefused(ExitCode code, const char* reason) const {
    const ModelRecord record = RunOne();
    CHECK(record.exit_code == code);
    CHECK(record.status == Status::kUnusable);
    CHECK(Contains(record.reason, reason));
    CHECK_FALSE(record.correct.has_value());
    CHECK_FALSE(record.expected_correct.has_value());
    CHECK_FALSE(record.seconds.has_value());
  }

  TemporaryFolder folder;
  std::string model = FirstTenPixelsModel();
  SessionSpec spec;
};

}  // namespace

TEST_CASE("a model that does what its manifest says agrees") {
  const Scene scene;
  const ModelRecord record = scene.RunOne();
  CHECK(record.exit_code == ExitCode::kAgreed);
  CHECK(record.status == Status::kAgreed);
  CHECK(record.correct == 12);
  CHECK(record.total == 12);
  CHECK(record.disagreements == 0);
  CHECK(record.training == false);
  CHECK(record.max_abs_logit_diff == 0.0);
}

TEST_CASE("a model that does something else disagrees") {
  Scene scene;
  const std::string other =
      ScriptModel("def forward(self, x):\n  return torch.flatten(x, 1)[:, :10].roll(1, 1)\n");
  scene.spec.models = {scene.Export("other", other, TinyManifestBody(other))};
  const ModelRecord record = scene.RunOne();
  CHECK(record.exit_code == ExitCode::kDisagreed);
  CHECK(record.status == Status::kDisagreed);
  CHECK(record.correct == 0);
  CHECK(record.expected_correct == 12);
  CHECK(record.disagreements == 12);
  CHECK(record.max_abs_logit_diff == 1.0);
}

TEST_CASE("a model saved in training mode disagrees, whatever its results") {
  Scene scene;
  const std::string training = ScriptModel(
      "def forward(self, x):\n"
      "  return torch.dropout(torch.flatten(x, 1)[:, :10], 0.5, self.training)\n",
      true);
  scene.spec.models = {scene.Export("training", training, TinyManifestBody(training))};
  const ModelRecord record = scene.RunOne();
  CHECK(record.status == Status::kDisagreed);
  CHECK(record.exit_code == ExitCode::kDisagreed);
  CHECK(record.training == true);
  CHECK(record.disagreements == 0);
  CHECK(Contains(record.reason, "the model: expected evaluation mode, got training mode"));

  scene.spec.use_manifest = false;
  scene.spec.check_data = false;
  const ModelRecord bare = scene.RunOne();
  CHECK(bare.status == Status::kUnchecked);
  CHECK(bare.exit_code == ExitCode::kAgreed);
  CHECK(bare.training == true);
  CHECK(bare.reason == record.reason);
}

TEST_CASE("training mode that no eval() ends is a fault, with and without a manifest") {
  Scene scene;
  const std::string traced = ScriptModel(
      "def forward(self, x):\n"
      "  x = torch.flatten(x, 1)[:, :10]\n"
      "  return torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)\n");
  scene.spec.models = {scene.Export("traced", traced, TinyManifestBody(traced))};
  CHECK(scene.RunOne().exit_code == ExitCode::kDisagreed);
  scene.spec.use_manifest = false;
  scene.spec.check_data = false;
  const ModelRecord bare = scene.RunOne();
  CHECK(bare.status == Status::kUnchecked);
  CHECK(bare.exit_code == ExitCode::kDisagreed);
  CHECK(bare.training == true);
  CHECK(Contains(bare.reason, "training mode fixed in its graph"));
}

TEST_CASE("every error names its model") {
  Scene scene;
  scene.folder.Write(
      "tiny.json", SealManifest(Replace(TinyManifestBody(scene.model), "\"test_images_sha256\": \"",
                                        "\"test_images_sha256\": \"0\", \"x\": \"")));
  CHECK(scene.RunOne().reason.starts_with(scene.spec.models[0] + ": "));
  scene.folder.Write("tiny.json", SealManifest(Replace(TinyManifestBody(scene.model),
                                                       bnbench::testing::TinyImagesSha256(),
                                                       std::string(64, '0'))));
  CHECK(scene.RunOne().reason.starts_with(scene.spec.models[0] + ": test inputs: expected"));
}

TEST_CASE("a flipped byte in the model is caught before it is loaded") {
  const Scene scene;
  for (const std::size_t position :
       {std::size_t{0}, scene.model.size() / 2, scene.model.size() - 1}) {
    std::string flipped = scene.model;
    flipped[position] = static_cast<char>(flipped[position] ^ 1);
    scene.folder.Write("tiny.pt", flipped);
    scene.CheckRefused(ExitCode::kModel, "tiny.pt: expected the model of its manifest, ");
  }
  scene.folder.Write("tiny.pt", scene.model + "x");
  scene.CheckRefused(ExitCode::kModel, "tiny.pt: expected the model of its manifest, ");
}

TEST_CASE("a flipped byte in the manifest is caught") {
  const Scene scene;
  scene.folder.Write("tiny.json", Replace(SealManifest(TinyManifestBody(scene.model)),
                                          "\"correct\": 12", "\"correct\": 11"));
  scene.CheckRefused(ExitCode::kModel, "tiny.json: expected a manifest with SHA-256");
}

TEST_CASE("a flipped byte in the data is caught") {
  const Scene scene;
  bnbench::testing::ByteVector images = bnbench::testing::TinyImages(12);
  images[5000] ^= 1;
  scene.folder.Write("t10k-images-idx3-ubyte",
                     bnbench::testing::ToString(bnbench::testing::IdxBytes({12, 28, 28}, images)));
  scene.CheckRefused(ExitCode::kData, "test inputs: expected those of the model's manifest");
}

TEST_CASE("missing, empty and misplaced model files are refused by name") {
  Scene scene;
  scene.folder.Write("tiny.pt", "");
  scene.CheckRefused(ExitCode::kModel, "tiny.pt: expected the model of its manifest, ");
  scene.CheckRefused(ExitCode::kModel, ", got an empty file");
  scene.spec.models = {scene.folder.File("none.pt")};
  scene.CheckRefused(ExitCode::kModel,
                     "none.json: expected the model's manifest, got nothing there");
  scene.spec.use_manifest = false;
  scene.spec.check_data = false;
  scene.CheckRefused(ExitCode::kModel, "none.pt: expected a model file, got nothing there");
  scene.spec.models = {scene.folder.path()};
  scene.CheckRefused(ExitCode::kModel, "got a folder");
}

TEST_CASE("without a manifest the data must be FashionMNIST's, unless that is waived") {
  Scene scene;
  scene.spec.use_manifest = false;
  scene.CheckRefused(ExitCode::kData, "test inputs: expected those of FashionMNIST");
  scene.spec.check_data = false;
  const ModelRecord record = scene.RunOne();
  CHECK(record.status == Status::kUnchecked);
  CHECK(record.exit_code == ExitCode::kAgreed);
  CHECK(record.correct == 12);
  CHECK_FALSE(record.expected_correct.has_value());
  CHECK_FALSE(record.disagreements.has_value());
}

TEST_CASE("a model that fails does not keep the others from running, and the worst code counts") {
  Scene scene;
  const std::string good = scene.spec.models[0];
  const std::string nan =
      ScriptModel("def forward(self, x):\n  return torch.flatten(x, 1)[:, :10] / 0.0\n");
  scene.spec.models = {scene.folder.File("none.pt"), good,
                       scene.Export("nan", nan, TinyManifestBody(nan)), good};
  const SessionRecord session = RunSession(scene.spec);
  REQUIRE(session.models.size() == 4);
  CHECK(session.models[0].status == Status::kUnusable);
  CHECK(session.models[1].status == Status::kAgreed);
  CHECK(session.models[2].status == Status::kUnusable);
  CHECK(Contains(session.models[2].reason, "nan.pt: expected float logits of shape"));
  CHECK(session.models[3].status == Status::kAgreed);
  CHECK(session.exit_code == ExitCode::kModel);
  CHECK(session.total == 12);
}

TEST_CASE("a model that never ends is ended, and costs no other its result") {
  Scene scene;
  const std::string endless = ScriptModel(
      "def forward(self, x):\n  while bool(x.size(0) > 0):\n    x = x + 1\n  return x\n");
  for (const bool isolate : {false, true}) {
    scene.spec.isolate = isolate;
    scene.spec.timeout_seconds = 1;
    scene.spec.threads = 1;
    scene.spec.models = {scene.folder.File("tiny.pt"),
                         scene.Export("endless", endless, TinyManifestBody(endless)),
                         scene.folder.File("tiny.pt")};
    const SessionRecord session = RunSession(scene.spec);
    REQUIRE(session.models.size() == 3);
    CHECK(session.models[0].status == Status::kAgreed);
    CHECK(session.models[1].status == Status::kUnusable);
    CHECK(Contains(session.models[1].reason, "endless.pt: expected to load and run within 1 s"));
    CHECK(Contains(session.models[1].reason, "got no end within 1 s"));
    CHECK(session.models[2].status == Status::kAgreed);
  }
}

TEST_CASE("a session that is stopped writes no file") {
  Scene scene;
  const std::atomic<int> stop{15};
  scene.spec.stop = &stop;
  scene.spec.logits_path = scene.folder.File("logits.npy");
  CHECK(RunSession(scene.spec).models.empty());
  CHECK_FALSE(std::filesystem::exists(scene.spec.logits_path));
}

TEST_CASE("a file that cannot be written is an error before any model is evaluated") {
  Scene scene;
  scene.spec.logits_path = scene.folder.File("none/logits.npy");
  const SessionRecord session = RunSession(scene.spec);
  CHECK(session.exit_code == ExitCode::kUsage);
  CHECK(session.models.empty());
  CHECK(Contains(session.error, "none/logits.npy"));
}

TEST_CASE("data that cannot be read ends the session before any model") {
  Scene scene;
  scene.spec.data_folders = {scene.folder.File("none")};
  const SessionRecord session = RunSession(scene.spec);
  CHECK(session.exit_code == ExitCode::kData);
  CHECK(session.models.empty());
  CHECK(Contains(session.error, "test set: expected"));
  CHECK_FALSE(session.total.has_value());
}

TEST_CASE("as many models as asked for are evaluated at a time, if there are as many") {
  Scene scene;
  CHECK(RunSession(scene.spec).threads == 1);
  scene.spec.models.assign(3, scene.spec.models[0]);
  CHECK(RunSession(scene.spec).threads == std::min(3, bnbench::NumProcessors()));
  for (const int threads : {1, 2, 3}) {
    scene.spec.threads = threads;
    CHECK(RunSession(scene.spec).threads == threads);
  }
  scene.spec.threads = 4;
  CHECK(RunSession(scene.spec).threads == 3);
}

TEST_CASE("results stand in the order given and do not depend on the number of threads") {
  Scene scene;
  const std::string other =
      ScriptModel("def forward(self, x):\n  return torch.flatten(x, 1)[:, :10] * 0.1\n");
  const std::string first = scene.spec.models[0];
  const std::string second = scene.Export("other", other, TinyManifestBody(other));
  scene.spec.models = {first, second, scene.folder.File("none.pt"), second, first, first, second};
  scene.spec.logits_path = scene.folder.File("logits.npy");
  std::string expected;
  for (const int threads : {1, 2, 5}) {
    scene.spec.threads = threads;
    const SessionRecord session = RunSession(scene.spec);
    REQUIRE(session.models.size() == 7);
    for (std::size_t i = 0; i < 7; ++i) CHECK(session.models[i].path == scene.spec.models[i]);
    CHECK(session.models[1].status == Status::kDisagreed);
    CHECK(session.models[2].status == Status::kUnusable);
    CHECK(session.models[5].status == Status::kAgreed);
    const std::string logits = scene.folder.Read("logits.npy");
    if (expected.empty()) expected = logits;
    CHECK(logits == expected);
  }
}

TEST_CASE("a manifest of the second format goes by the hashes of values") {
  Scene scene;
  scene.spec.models = {scene.Export("second", scene.model, SecondManifestBody(scene.model))};
  const ModelRecord record = scene.RunOne();
  CHECK(record.status == Status::kAgreed);
  CHECK(record.correct_top5 == 12);
  CHECK(record.output_kind == bnbench::OutputKind::kLogits);
  CHECK(record.num_classes == 10);

  // The same data from a file of another format.
  scene.folder.Write("x.npy", bnbench::NpyHeader("|u1", bnbench::Shape{12, 28, 28}) +
                                  bnbench::testing::ToString(bnbench::testing::TinyImages(12)));
  scene.spec.inputs_path = scene.folder.File("x.npy");
  const ModelRecord without_targets = scene.RunOne();
  CHECK(without_targets.status == Status::kAgreed);
  CHECK_FALSE(without_targets.correct.has_value());
  CHECK_FALSE(without_targets.expected_correct.has_value());
}

TEST_CASE("inputs of another shape or type are refused before the model is loaded") {
  Scene scene;
  const auto write = [&](const char* type, const bnbench::Shape& shape, std::size_t bytes) {
    scene.spec.inputs_path =
        scene.folder.Write("x.npy", bnbench::NpyHeader(type, shape) + std::string(bytes, '\0'));
  };
  write("<f4", {12, 28, 28}, 4 * 12 * 784);
  scene.CheckRefused(ExitCode::kData, "uint8 of shape (28, 28) each, got float32 of (28, 28)");
  write("|u1", {12, 784}, 12 * 784);
  scene.CheckRefused(ExitCode::kData, "uint8 of shape (28, 28) each, got uint8 of (784,)");
}

TEST_CASE("a model of another format is left to another program") {
  Scene scene;
  scene.spec.models = {
      scene.Export("other", scene.model,
                   Replace(SecondManifestBody(scene.model), "\"torchscript\"", "\"pt2\""))};
  scene.CheckRefused(ExitCode::kModel, "expected a model that libtorch can run, got one of format");
}

TEST_CASE("a model whose scores depend on other inputs is named, with and without a manifest") {
  struct Case {
    const char* expression;
    const char* message;
  };
  const Case cases[] = {
      {"x - 0.5 * x.mean(0)", "depends on the batch: expected the same scores in any batch"},
      {"x + torch.rand([1])", "is not deterministic: expected the same scores twice"},
  };
  for (const Case& wrong : cases) {
    CAPTURE(wrong.expression);
    Scene scene;
    const std::string bytes =
        ScriptModel("def forward(self, x):\n  x = torch.flatten(x, 1)[:, :10]\n  return " +
                    std::string(wrong.expression) + "\n");
    scene.spec.models = {scene.Export("wrong", bytes, TinyManifestBody(bytes))};
    const ModelRecord record = scene.RunOne();
    CHECK(record.status == Status::kDisagreed);
    CHECK(Contains(record.reason, wrong.message));
    CHECK(record.depends_on_batch == record.is_deterministic);
    scene.spec.use_manifest = false;
    scene.spec.check_data = false;
    const ModelRecord bare = scene.RunOne();
    CHECK(bare.status == Status::kUnchecked);
    CHECK(bare.exit_code == ExitCode::kDisagreed);
    CHECK(Contains(bare.reason, wrong.message));
  }
}

TEST_CASE("a bare model is fed as the options say") {
  Scene scene;
  scene.spec.use_manifest = false;
  scene.spec.check_data = false;
  scene.spec.steps = bnbench::ParseSteps("reshape=784,cast=int64");
  const std::string labels = ScriptModel("def forward(self, x):\n  return x[:, :10].argmax(1)\n");
  scene.spec.models = {scene.folder.Write("labels.pt", labels)};
  const ModelRecord record = scene.RunOne();
  CHECK(record.correct == 12);
  CHECK(record.output_kind == bnbench::OutputKind::kLabels);
  CHECK_FALSE(record.num_classes.has_value());
  CHECK_FALSE(record.correct_top5.has_value());
  scene.spec.output.num_classes = 5;
  scene.CheckRefused(ExitCode::kModel, "expected labels from 0 to 4, got 5");
  scene.spec.output = {bnbench::OutputKind::kLogits, 10, {}};
  scene.CheckRefused(ExitCode::kModel, "expected float logits of shape (12, 10), got a tensor of");
}

TEST_CASE("a benchmark repeats a model, one at a time") {
  Scene scene;
  scene.spec.benchmark = true;
  scene.spec.benchmark_seconds = 1;
  scene.spec.models.assign(2, scene.spec.models[0]);
  const SessionRecord session = RunSession(scene.spec);
  CHECK(session.threads == 1);
  for (const ModelRecord& model : session.models) {
    REQUIRE(model.benchmark.has_value());
    CHECK(model.benchmark->repeats >= bnbench::kMinRepeats);
    CHECK(model.benchmark->low <= model.benchmark->median);
    CHECK(model.benchmark->median <= model.benchmark->high);
  }
}
