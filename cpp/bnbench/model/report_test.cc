#include "bnbench/model/report.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/fixtures.h"

using bnbench::ExitCode;
using bnbench::ModelRecord;
using bnbench::SessionRecord;
using bnbench::Status;
using bnbench::testing::Contains;
using Json = nlohmann::json;

namespace {

SessionRecord MakeSession() {
  ModelRecord agreed;
  agreed.path = "good.pt";
  agreed.status = Status::kAgreed;
  agreed.exit_code = ExitCode::kAgreed;
  agreed.exporter_torch_version = "9.8.6";
  agreed.correct = 3;
  agreed.total = 4;
  agreed.expected_correct = 3;
  agreed.disagreements = 0;
  agreed.num_probes = 2;
  agreed.max_abs_logit_diff = 0.25;
  agreed.allowed_logit_diff = 0.5;
  agreed.seconds = 0.5;
  ModelRecord unusable;
  unusable.path = "caf\xc3\xa9-\xff.pt";  // UTF-8, then a byte that is none
  unusable.reason = "bad.pt: expected a model file, got an empty file";
  SessionRecord session;
  session.runtime = "libtorch";
  session.runtime_version = "9.8.7";
  session.threads = 2;
  session.batch_size = 1000;
  session.total = 4;
  session.seconds = 1.25;
  session.models = {agreed, unusable};
  session.exit_code = ExitCode::kModel;
  return session;
}

}  // namespace

TEST_CASE("the JSON document holds what was measured, and null for what was not") {
  const Json document = Json::parse(FormatJson(MakeSession()));
  CHECK(document["format_version"] == 1);
  CHECK(document["runtime"] == "libtorch");
  CHECK(document["torch_version"] == "9.8.7");
  CHECK(document["device"] == "cpu");
  CHECK(document["threads"] == 2);
  CHECK(document["seconds"] == 1.25);
  CHECK(document["total"] == 4);
  CHECK(document["error"].is_null());
  CHECK(document["exit_code"] == 4);
  const Json& good = document["models"][0];
  CHECK(good["status"] == "agreed");
  CHECK(good["reason"].is_null());
  CHECK(good["exporter_torch_version"] == "9.8.6");
  CHECK(good["accuracy"] == 0.75);
  CHECK(good["images_per_second"] == 8.0);
  CHECK(good["max_abs_logit_diff"] == 0.25);
  const Json& bad = document["models"][1];
  CHECK(bad["status"] == "unusable");
  CHECK(bad["reason"] == "bad.pt: expected a model file, got an empty file");
  for (const char* key :
       {"exporter_torch_version", "training", "correct", "total", "accuracy", "expected_correct",
        "disagreements", "max_abs_logit_diff", "seconds", "images_per_second", "correct_top5",
        "accuracy_top5", "output", "num_classes", "depends_on_batch", "deterministic", "hint",
        "benchmark"}) {
    CHECK(bad[key].is_null());
  }
}

TEST_CASE("the JSON document is ASCII, whatever bytes a file name has") {
  const std::string text = FormatJson(MakeSession());
  for (const char c : text) CHECK((c == '\n' || (c >= 0x20 && c < 0x7f)));
  CHECK(Json::parse(text)["models"][1]["model"] == "caf\xc3\xa9-\xef\xbf\xbd.pt");
}

TEST_CASE("a session that never began is a JSON document as well") {
  SessionRecord session;
  session.exit_code = ExitCode::kData;
  session.error = "no data";
  const Json document = Json::parse(FormatJson(session));
  CHECK(document["error"] == "no data");
  CHECK(document["models"].empty());
  CHECK(document["models"].is_array());
  CHECK(document["threads"].is_null());
  CHECK(document["exit_code"] == 3);
}

TEST_CASE("results and errors go to different streams") {
  const SessionRecord session = MakeSession();
  const std::string text = FormatText(session);
  CHECK(Contains(text, "good.pt\n  accuracy  0.7500 (3 of 4 correct)\n"));
  CHECK(Contains(text, "0.5000 s, 8 inputs/s (cpu, one thread, batch size 1000)"));
  CHECK(Contains(text, "2 probes' scores differ by at most 0.25 (allowed 0.5)"));
  CHECK(Contains(text, "torch     9.8.7, exported by 9.8.6\n"));
  CHECK(text.ends_with("\n2 models in 1.250 s, 2 at a time\n"));
  CHECK(text.find("caf") == std::string::npos);
  CHECK(FormatErrors(session) ==
        "bnbench-eval: error: bad.pt: expected a model file, got an empty file\n");
}

TEST_CASE("it is said whether the data are FashionMNIST") {
  SessionRecord session = MakeSession();
  CHECK(Json::parse(FormatJson(session))["fashion_mnist"].is_null());
  for (const bool is_fashion_mnist : {false, true}) {
    session.is_fashion_mnist = is_fashion_mnist;
    CHECK(Json::parse(FormatJson(session))["fashion_mnist"] == is_fashion_mnist);
    CHECK(Contains(FormatText(session), "not FashionMNIST") != is_fashion_mnist);
  }
}

TEST_CASE("training mode of a model without a manifest is a warning") {
  SessionRecord session = MakeSession();
  session.models.resize(1);
  session.models[0].status = Status::kUnchecked;
  session.models[0].reason = "exported in training mode";
  CHECK(FormatErrors(session) ==
        "bnbench-eval: warning: good.pt: exported in training mode (evaluated in evaluation "
        "mode)\n");
}

TEST_CASE("training mode that stays in evaluation mode is an error") {
  SessionRecord session = MakeSession();
  session.models.resize(1);
  session.models[0].status = Status::kUnchecked;
  session.models[0].exit_code = ExitCode::kDisagreed;
  session.models[0].reason = "traced in training mode";
  CHECK(FormatErrors(session) == "bnbench-eval: error: good.pt: traced in training mode\n");
}

TEST_CASE("names and reasons move no cursor and change no color") {
  SessionRecord session = MakeSession();
  session.error = "a\tb";
  for (ModelRecord& model : session.models) {
    model.path = "x\n\x1b[31m\x7f\xc2\x9b\xc3\xa9.pt";
    model.reason = model.path + ": expected a model";
    const std::string text = FormatText(session) + FormatErrors(session);
    for (const char c : text) CHECK((c == '\n' || (c & 0x80) != 0 || (c >= 0x20 && c < 0x7f)));
    CHECK_FALSE(Contains(text, "\xc2\x9b"));
    CHECK(Contains(text, "x\\x0a\\x1b[31m\\x7f\\x9b\xc3\xa9.pt"));
    CHECK(Contains(text, "a\\x09b"));
  }
}

TEST_CASE("a disagreement stands in the results and among the errors") {
  SessionRecord session = MakeSession();
  session.models.resize(1);
  session.models[0].status = Status::kDisagreed;
  session.models[0].exit_code = ExitCode::kDisagreed;
  session.models[0].reason = "1 of 4 predictions differ (image 2)";
  CHECK_FALSE(Contains(FormatText(session), "at a time"));
  CHECK(Contains(FormatText(session), "DISAGREES: 1 of 4 predictions differ (image 2)"));
  CHECK(FormatErrors(session) ==
        "bnbench-eval: error: good.pt: 1 of 4 predictions differ (image 2)\n");
}

TEST_CASE("what was measured besides stands in both reports") {
  SessionRecord session = MakeSession();
  ModelRecord& model = session.models[0];
  model.correct_top5 = 4;
  model.output_kind = bnbench::OutputKind::kProbabilities;
  model.num_classes = 47;
  model.depends_on_batch = false;
  model.is_deterministic = true;
  model.explained = 1;
  model.hint = "near that of guessing";
  model.benchmark = {20, 0.5, 0.25, 1.0, false};
  session.threads_per_model = 3;
  const Json found = Json::parse(FormatJson(session))["models"][0];
  CHECK(found["accuracy_top5"] == 1.0);
  CHECK(found["output"] == "probabilities");
  CHECK(found["num_classes"] == 47);
  CHECK(found["depends_on_batch"] == false);
  CHECK(found["deterministic"] == true);
  CHECK(found["benchmark"]["inputs_per_second"] == 8.0);
  CHECK(found["benchmark"]["is_narrow"] == false);
  const std::string text = FormatText(session);
  CHECK(Contains(text, "3 of 4 correct), top-5 1.0000\n"));
  CHECK(Contains(text, "(cpu, 3 threads, batch size 1000)"));
  CHECK(Contains(text, "median 0.5 s [0.25, 1] of 20 runs, 8 inputs/s (95 % interval, still wide"));
  CHECK(Contains(text, "same predictions but 1, which rounding in 16 bits explains"));
  CHECK(Contains(FormatErrors(session), "warning: good.pt: near that of guessing\n"));
  model.correct.reset();
  CHECK(Contains(FormatText(session), "accuracy  none, without targets (4 inputs)"));
  session.runtime = "portable";
  CHECK(Contains(FormatText(session), "  runtime   portable 9.8.7"));
  CHECK(Json::parse(FormatJson(session))["torch_version"].is_null());
}
