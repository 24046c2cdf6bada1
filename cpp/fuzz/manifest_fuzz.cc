// Only a sealed text is a manifest, and a sealed text is refused as a ModelError or is one.

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "bnbench/errors.h"
#include "bnbench/io/sha256.h"
#include "bnbench/model/manifest.h"
#include "fuzz/fuzz.h"

namespace {

using bnbench::Manifest;
using bnbench::ParseManifest;
using bnbench::fuzz::Require;

std::string Seal(std::string_view body) {
  return std::string(body) + ",\n  \"manifest_sha256\": \"" + bnbench::Sha256Hex(body) + "\"\n}\n";
}

void CheckManifest(const Manifest& manifest) {
  for (const std::string& hash :
       {manifest.model_sha256, manifest.inputs_sha256, manifest.targets_sha256}) {
    Require(bnbench::IsSha256Hex(hash), "hashes are hashes");
  }
  Require(manifest.total > 0 && manifest.correct <= manifest.total, "counts fit each other");
  Require(manifest.predictions.size() == manifest.total, "every image has a prediction");
  for (const std::int64_t label : manifest.predictions) {
    Require(label >= 0 && static_cast<std::size_t>(label) < manifest.output.num_classes,
            "predictions are classes");
  }
  const std::string steps = FormatSteps(manifest.input.steps);
  Require(FormatSteps(bnbench::ParseSteps(steps)) == steps, "steps can be told to a child");
  for (const bnbench::Probe& probe : manifest.probes) {
    Require(probe.index < manifest.total, "probes are images");
    Require(probe.scores.size() == manifest.output.num_classes, "probes have all scores");
    for (const double score : probe.scores) Require(std::isfinite(score), "scores are finite");
  }
}

bool IsManifest(std::string_view text) {
  try {
    CheckManifest(ParseManifest(text, "input"));
    return true;
  } catch (const bnbench::ModelError&) {
    return false;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Require(!IsManifest(input) || input.find("\"manifest_sha256\"") != std::string_view::npos,
          "no text without a seal is a manifest");
  // A fuzzer cannot guess a SHA-256, so what lies behind it is reached by giving it the seal.
  std::string sealed = Seal(input);
  if (IsManifest(sealed)) {
    sealed[size / 2] = static_cast<char>(sealed[size / 2] ^ 1);
    Require(!IsManifest(sealed), "an altered manifest is refused");
  }
  return 0;
}
