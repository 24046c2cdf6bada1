#include "bnbench/model/manifest.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::Manifest;
using bnbench::ModelError;
using bnbench::testing::Replace;
using bnbench::testing::SealManifest;
using bnbench::testing::SecondManifestBody;
using bnbench::testing::TemporaryFolder;
using bnbench::testing::TinyManifestBody;

namespace {

Manifest ParseManifest(std::string_view text) { return bnbench::ParseManifest(text, "m.json"); }

}  // namespace

TEST_CASE("the first format is read as the second") {
  const Manifest manifest = ParseManifest(SealManifest(TinyManifestBody("model bytes")));
  CHECK(manifest.model_size_bytes == 11);
  CHECK(manifest.torch_version == "2.14.1+cu130");
  CHECK(manifest.total == 12);
  CHECK(manifest.correct == 12);
  CHECK(manifest.predictions == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1});
  CHECK(manifest.model_format == "torchscript");
  CHECK(manifest.input.shape == bnbench::Shape{28, 28});
  CHECK(FormatSteps(manifest.input.steps) == "divide=255,reshape=1x28x28");
  CHECK(manifest.output.num_classes == 10);
  REQUIRE(manifest.probes.size() == 1);
  CHECK(manifest.probes[0].index == 3);
  CHECK(manifest.probes[0].scores[3] == 1.0);
}

TEST_CASE("the exporter's version of torch may be missing") {
  const std::string body = TinyManifestBody("model bytes");
  for (const char* other : {"\"version\":", "\"versions\": {}, \"x\":"}) {
    const std::string text = SealManifest(Replace(body, "\"versions\":", other));
    CHECK(ParseManifest(text).torch_version.empty());
  }
}

TEST_CASE("the manifest of a model lies beside it") {
  CHECK(bnbench::ManifestPath("runs/a.b/model.pt") == "runs/a.b/model.json");
  CHECK(bnbench::ManifestPath("model") == "model.json");
  CHECK(bnbench::ManifestPath("a.b/model.pt2") == "a.b/model.pt2.json");
  CHECK(bnbench::ManifestPath("model.onnx") == "model.onnx.json");
}

TEST_CASE("any flipped bit in any byte of a manifest is caught") {
  const std::string whole = SealManifest(TinyManifestBody("model bytes"));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int bit : {0, 3, 5, 7}) {
      std::string altered = whole;
      altered[i] = static_cast<char>(altered[i] ^ (1 << bit));
      CHECK_THROWS_AS(ParseManifest(altered), ModelError);
    }
  }
}

TEST_CASE("a manifest that is cut, or has something after its end, is caught") {
  const std::string whole = SealManifest(TinyManifestBody("model bytes"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_THROWS_AS(ParseManifest(whole.substr(0, size)), ModelError);
  }
  CHECK_THROWS_WITH_AS(
      ParseManifest(whole + "\n"),
      doctest::Contains(
          "m.json: expected a bnbench manifest, whose last line is its SHA-256, got another"),
      ModelError);
  CHECK_THROWS_WITH_AS(ParseManifest(Replace(whole, "\"seed\": 0", "\"seed\": 1")),
                       doctest::Contains("m.json: expected a manifest with SHA-256 "), ModelError);
}

TEST_CASE("manifests of other format versions say which program reads them") {
  const std::string body = TinyManifestBody("model bytes");
  CHECK_THROWS_WITH_AS(
      ParseManifest(SealManifest(Replace(body, "\"format_version\": 1", "\"format_version\": 3"))),
      doctest::Contains(
          "m.json: format_version: expected 1 to 2, got 3, which needs a newer bnbench"),
      ModelError);
  CHECK_THROWS_WITH_AS(
      ParseManifest(SealManifest(Replace(body, "\"format_version\": 1", "\"format_version\": 0"))),
      doctest::Contains("m.json: format_version: expected 1 to 2, got 0, which no bnbench wrote"),
      ModelError);
}

TEST_CASE("the second format says what goes in and what comes out") {
  const std::string body = SecondManifestBody("model bytes");
  const Manifest manifest = ParseManifest(SealManifest(body));
  CHECK(manifest.model_format == "torchscript");
  CHECK(manifest.input.dtype == bnbench::DType::kUint8);
  CHECK(manifest.input.shape == bnbench::Shape{28, 28});
  CHECK(FormatSteps(manifest.input.steps) == "divide=255,reshape=1x28x28");
  CHECK(manifest.output.kind == bnbench::OutputKind::kLogits);
  CHECK(manifest.output.num_classes == 10);
  CHECK(std::holds_alternative<std::monostate>(manifest.output.element));
  CHECK(manifest.predictions[11] == 1);
  CHECK(manifest.probes[0].scores.size() == 10);
  const auto element = [&](const char* text) {
    return ParseManifest(SealManifest(Replace(body, "\"element\": null", text))).output.element;
  };
  CHECK(std::get<std::size_t>(element("\"element\": 2")) == 2);
  CHECK(std::get<std::string>(element("\"element\": \"logits\"")) == "logits");
  CHECK(std::holds_alternative<std::monostate>(element("\"x\": 1")));
}

TEST_CASE("every step is read") {
  const char* other =
      R"({"step": "cast", "dtype": "float64"}, {"step": "scale", "factor": 0.5},
         {"step": "normalize", "mean": [0.1, 0.2], "std": [1, 2]}, {"step": "divide", "by": 255.0})";
  const Manifest manifest = ParseManifest(
      SealManifest(Replace(SecondManifestBody("m"), R"({"step": "divide", "by": 255.0})", other)));
  CHECK(FormatSteps(manifest.input.steps) ==
        "cast=float64,scale=0.5,normalize=0.1:0.2/1:2,divide=255,reshape=1x28x28");
}

TEST_CASE("a model that returns labels has no probes") {
  const std::string body =
      Replace(SecondManifestBody("m"), "\"logits\", \"num", "\"labels\", \"num");
  const Manifest manifest =
      ParseManifest(SealManifest(Replace(body, "\"probes\": {", "\"probes\": null, \"x\": {")));
  CHECK(manifest.output.kind == bnbench::OutputKind::kLabels);
  CHECK(manifest.probes.empty());
}

TEST_CASE("each wrong field of the second format is named") {
  struct Case {
    const char* old_part;
    const char* new_part;
    const char* message;
  };
  const Case cases[] = {
      {"\"shape\": [28,28]", "\"shape\": [28,0]", "input.shape[1]: expected at least 1, got 0"},
      {"\"shape\": [28,28]", "\"shape\": [28,-1]", "m.json: input.shape[1]: expected"},
      {"\"uint8\"", "\"byte\"", "m.json: input.dtype: expected a type such as"},
      {"\"divide\"", "\"crop\"", "input.preprocessing[0].step: expected divide, scale"},
      {"255.0", "0", "input.preprocessing[0]: expected a step that can be computed"},
      {"255.0", "1e300", "input.preprocessing[0]: expected a step that can be computed"},
      {"\"by\"", "\"with\"", "input.preprocessing[0].by: expected a value, got none"},
      {"\"kind\": \"logits\"", "\"kind\": \"scores\"", "m.json: output.kind: expected logits"},
      {"\"num_classes\": 10", "\"num_classes\": 0", "m.json: output.num_classes: expected"},
      {"\"num_classes\": 10", "\"num_classes\": 9", "predictions: expected a list of 12 classes"},
      {"\"num_classes\": 10", "\"num_classes\": 11", "probes.logits[0]: expected a list of 11"},
      {"\"element\": null", "\"element\": -1", "m.json: output.element: expected"},
      {"\"inputs_sha256\"", "\"images\"", "m.json: data.inputs_sha256: expected a value"},
      {"[0,1,2,", "[0,1,3,", "expected.predictions_sha256: expected the SHA-256"},
      {"[0,1,2,", "[0,1,2.0,", "expected.predictions: expected a list of 12 classes from 0 to 9"},
      {"[0,1,2,", "[1,2,", "expected.predictions: expected a list of 12 classes from 0 to 9"},
      {"\"torchscript\"", "3", "m.json: model.format: expected a string"},
  };
  const std::string body = SecondManifestBody("model bytes");
  for (const Case& wrong : cases) {
    CAPTURE(wrong.new_part);
    const std::string sealed = SealManifest(Replace(body, wrong.old_part, wrong.new_part));
    CHECK_THROWS_WITH_AS(ParseManifest(sealed), doctest::Contains(wrong.message), ModelError);
  }
}

TEST_CASE("each wrong field of a sealed manifest is named") {
  struct Case {
    const char* old_part;
    const char* new_part;
    const char* message;
  };
  const Case cases[] = {
      {"\"format_version\": 1", "\"format_version\": \"1\"", "m.json: format_version: expected"},
      {"\"format_version\": 1", "\"format_version\": -1", "m.json: format_version: expected"},
      {"\"format_version\": 1,", "", "m.json: format_version: expected a value, got none"},
      {"\"size_bytes\": 11", "\"size_bytes\": 1.5", "m.json: model.size_bytes: expected"},
      {"\"size_bytes\": 11", "\"size_bytes\": 99999999999999999999",
       "m.json: model.size_bytes: expected"},
      {"\"model\":", "\"model\": [], \"other\":", "model: expected an object, got array"},
      {"\"test_images_sha256\": \"", "\"test_images_sha256\": \"A",
       "m.json: data.test_images_sha256: expected"},
      {"\"test_labels_sha256\": \"", "\"test_labels_sha256\": 3, \"x\": \"",
       "m.json: data.test_labels_sha256: expected"},
      {"\"total\": 12", "\"total\": 0", "m.json: expected.total: expected"},
      {"\"total\": 12", "\"total\": 11", "m.json: expected.correct: expected"},
      {"\"total\": 12", "\"total\": 13", "expected.predictions: expected 13 digits, got"},
      {"\"correct\": 12", "\"correct\": 13", "m.json: expected.correct: expected"},
      {"\"correct\": 12", "\"correct\": null", "m.json: expected.correct: expected"},
      {"\"012345678901\"", "\"01234567890x\"", "m.json: expected.predictions: expected"},
      {"\"012345678901\"", "\"012345678902\"", "m.json: expected.predictions_sha256: expected"},
      {"\"012345678901\"", "12", "m.json: expected.predictions: expected"},
      {"\"indices\": [3]", "\"indices\": [12]", "m.json: expected.probes.indices[0]: expected"},
      {"\"indices\": [3]", "\"indices\": [-1]", "m.json: expected.probes.indices[0]: expected"},
      {"\"indices\": [3]", "\"indices\": 3", "m.json: expected.probes.indices: expected"},
      {"\"indices\": [3]", "\"indices\": [3, 4]", "m.json: expected.probes.logits: expected"},
      {"[[0, 0,", "[[0,", "expected.probes.logits[0]: expected a list of 10 items, got 9"},
      {"\"indices\": [3]", "\"indices\": []",
       "m.json: expected.probes.indices: expected a list of 1 to 12 items, got 0"},
      {"[[0, 0,", "[[0, \"0\",", "expected.probes.logits[0][1]: expected a number, got string"},
      {"[[0, 0,", "[[0, NaN,", "m.json: expected JSON, got"},
      {"[[0, 0,", "[[0, 1e999,", "m.json: expected JSON, got"},
      {"\"seed\": 0", "\"seed\": \"\xff\"", "m.json: expected JSON, got"},
      {"\"2.14.1+cu130\"", "\"\\u001b[31m\"", "versions.torch: expected a version"},
      {"\"2.14.1+cu130\"", "2.14", "versions.torch: expected a version"},
      {"\"probes\":", "\"probe\":", "m.json: expected.probes: expected a value, got none"},
  };
  const std::string body = TinyManifestBody("model bytes");
  for (const Case& wrong : cases) {
    CAPTURE(wrong.new_part);
    const std::string sealed = SealManifest(Replace(body, wrong.old_part, wrong.new_part));
    CHECK_THROWS_WITH_AS(ParseManifest(sealed), doctest::Contains(wrong.message), ModelError);
  }
}

TEST_CASE("deeply nested JSON does not exhaust the stack") {
  const std::string nested = "{\"a\": " + std::string(1'000'000, '[');
  CHECK_THROWS_AS(ParseManifest(SealManifest(nested)), ModelError);
  const std::string closed = "{\"a\": " + std::string(1'000'000, '[') + std::string(1'000'000, ']');
  CHECK_THROWS_WITH_AS(ParseManifest(SealManifest(closed)),
                       doctest::Contains("m.json: format_version: expected a value, got none"),
                       ModelError);
}

TEST_CASE("a list of probes that is far too long is refused before it is taken apart") {
  std::string indices = "3";
  for (int i = 0; i < 1'000'000; ++i) indices += ",3";
  CHECK_THROWS_WITH_AS(
      ParseManifest(SealManifest(Replace(TinyManifestBody("model bytes"), "\"indices\": [3]",
                                         "\"indices\": [" + indices + "]"))),
      doctest::Contains("indices: expected a list of 1 to 12 items, got 1000001"), ModelError);
}

TEST_CASE("a manifest that is far too long is refused before it is read") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("long.json", std::string((8 << 20) + 1, ' '));
  CHECK_THROWS_WITH_AS(bnbench::ReadManifest(path),
                       doctest::Contains("got 8388609 bytes, more than the limit of 8388608"),
                       ModelError);
}

TEST_CASE("a missing manifest says how to do without one") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(bnbench::ReadManifest(folder.File("none.json")),
                       doctest::Contains("--no-manifest"), ModelError);
  CHECK_THROWS_WITH_AS(
      bnbench::ReadManifest(folder.Write("empty.json", "")),
      doctest::Contains("empty.json: expected the model's manifest, got an empty file"),
      ModelError);
}
