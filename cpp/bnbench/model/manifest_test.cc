#include "bnbench/model/manifest.h"

#include <doctest/doctest.h>

#include <string>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::Manifest;
using bnbench::ModelError;
using bnbench::testing::Replace;
using bnbench::testing::SealManifest;
using bnbench::testing::TemporaryFolder;
using bnbench::testing::TinyManifestBody;

namespace {

Manifest ParseManifest(std::string_view text) { return bnbench::ParseManifest(text, "m.json"); }

}  // namespace

TEST_CASE("a manifest's fields are read") {
  const Manifest manifest = ParseManifest(SealManifest(TinyManifestBody("model bytes")));
  CHECK(manifest.model_size_bytes == 11);
  CHECK(manifest.torch_version == "2.14.1+cu130");
  CHECK(manifest.total == 12);
  CHECK(manifest.correct == 12);
  CHECK(manifest.predictions == "012345678901");
  REQUIRE(manifest.probes.size() == 1);
  CHECK(manifest.probes[0].index == 3);
  CHECK(manifest.probes[0].logits[3] == 1.0);
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
      ParseManifest(SealManifest(Replace(body, "\"format_version\": 1", "\"format_version\": 2"))),
      doctest::Contains("m.json: format_version: expected 1, got 2, which needs a newer bnbench"),
      ModelError);
  CHECK_THROWS_WITH_AS(
      ParseManifest(SealManifest(Replace(body, "\"format_version\": 1", "\"format_version\": 0"))),
      doctest::Contains("m.json: format_version: expected 1, got 0, which an older bnbench wrote"),
      ModelError);
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
  const std::string path = folder.Write("long.json", std::string((1 << 20) + 1, ' '));
  CHECK_THROWS_WITH_AS(bnbench::ReadManifest(path),
                       doctest::Contains("got 1048577 bytes, more than the limit of 1048576"),
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
