#include "bnbench/model/manifest.h"

#include <doctest/doctest.h>

#include <string>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::Manifest;
using bnbench::ModelError;
using bnbench::ParseManifest;
using bnbench::testing::Replace;
using bnbench::testing::SealManifest;
using bnbench::testing::TemporaryFolder;
using bnbench::testing::TinyManifestBody;

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

TEST_CASE("a manifest need not tell its exporter's version of torch") {
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
  CHECK_THROWS_WITH_AS(ParseManifest(whole + "\n"),
                       doctest::Contains("not a bnbench manifest, or altered"), ModelError);
  CHECK_THROWS_WITH_AS(ParseManifest(Replace(whole, "\"seed\": 0", "\"seed\": 1")),
                       doctest::Contains("is altered: its SHA-256 must be"), ModelError);
}

TEST_CASE("manifests of other format versions say which program reads them") {
  const std::string body = TinyManifestBody("model bytes");
  CHECK_THROWS_WITH_AS(
      ParseManifest(SealManifest(Replace(body, "\"format_version\": 1", "\"format_version\": 2"))),
      doctest::Contains("install a newer bnbench"), ModelError);
  CHECK_THROWS_WITH_AS(
      ParseManifest(SealManifest(Replace(body, "\"format_version\": 1", "\"format_version\": 0"))),
      doctest::Contains("export the model again with this bnbench"), ModelError);
}

TEST_CASE("each wrong field of a sealed manifest is named") {
  struct Case {
    const char* old_part;
    const char* new_part;
    const char* message;
  };
  const Case cases[] = {
      {"\"format_version\": 1", "\"format_version\": \"1\"", "at format_version"},
      {"\"format_version\": 1", "\"format_version\": -1", "at format_version"},
      {"\"format_version\": 1,", "", "lacks format_version"},
      {"\"size_bytes\": 11", "\"size_bytes\": 1.5", "at model.size_bytes"},
      {"\"size_bytes\": 11", "\"size_bytes\": 99999999999999999999", "at model.size_bytes"},
      {"\"model\":", "\"model\": [], \"other\":", "at model: it must be an object"},
      {"\"test_images_sha256\": \"", "\"test_images_sha256\": \"A", "at data.test_images_sha256"},
      {"\"test_labels_sha256\": \"", "\"test_labels_sha256\": 3, \"x\": \"",
       "at data.test_labels_sha256"},
      {"\"total\": 12", "\"total\": 0", "at expected.total"},
      {"\"total\": 12", "\"total\": 11", "at expected.correct"},
      {"\"total\": 12", "\"total\": 13", "at expected.predictions: it must be 13 digits"},
      {"\"correct\": 12", "\"correct\": 13", "at expected.correct"},
      {"\"correct\": 12", "\"correct\": null", "at expected.correct"},
      {"\"012345678901\"", "\"01234567890x\"", "at expected.predictions"},
      {"\"012345678901\"", "\"012345678902\"", "at expected.predictions_sha256"},
      {"\"012345678901\"", "12", "at expected.predictions"},
      {"\"indices\": [3]", "\"indices\": [12]", "at expected.probes.indices[0]"},
      {"\"indices\": [3]", "\"indices\": [-1]", "at expected.probes.indices[0]"},
      {"\"indices\": [3]", "\"indices\": 3", "at expected.probes.indices"},
      {"\"indices\": [3]", "\"indices\": [3, 4]", "at expected.probes.logits"},
      {"[[0, 0,", "[[0,", "at expected.probes.logits[0]: it must be a list of 10"},
      {"[[0, 0,", "[[0, \"0\",", "at expected.probes.logits[0][1]: it must be a number"},
      {"[[0, 0,", "[[0, NaN,", "is not valid JSON"},
      {"[[0, 0,", "[[0, 1e999,", "is not valid JSON"},
      {"\"seed\": 0", "\"seed\": \"\xff\"", "is not valid JSON"},
      {"\"2.14.1+cu130\"", "\"\\u001b[31m\"", "at versions.torch: it must be a version"},
      {"\"2.14.1+cu130\"", "2.14", "at versions.torch: it must be a version"},
      {"\"probes\":", "\"probe\":", "lacks expected.probes"},
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
                       doctest::Contains("lacks format_version"), ModelError);
}

TEST_CASE("a missing manifest says how to do without one") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(bnbench::ReadManifest(folder.File("none.json")),
                       doctest::Contains("--no-manifest"), ModelError);
  CHECK_THROWS_WITH_AS(bnbench::ReadManifest(folder.Write("empty.json", "")),
                       doctest::Contains("empty.json is empty"), ModelError);
}
