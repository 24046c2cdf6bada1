// Only a sealed text is a manifest, and a sealed text is refused as a ModelError or is one.

#include <cmath>
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
       {manifest.model_sha256, manifest.test_images_sha256, manifest.test_labels_sha256}) {
    Require(bnbench::IsSha256Hex(hash), "hashes are hashes");
  }
  Require(manifest.total > 0 && manifest.correct <= manifest.total, "counts fit each other");
  Require(manifest.predictions.size() == manifest.total, "every image has a prediction");
  for (const char digit : manifest.predictions) {
    Require(digit >= '0' && digit <= '9', "predictions are digits");
  }
  for (const bnbench::Probe& probe : manifest.probes) {
    Require(probe.index < manifest.total, "probes are images");
    for (const double logit : probe.logits) Require(std::isfinite(logit), "logits are finite");
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
