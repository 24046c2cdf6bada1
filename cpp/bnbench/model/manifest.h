// The JSON file beside an exported model that says which bytes it is and what it must score.
#ifndef BNBENCH_MODEL_MANIFEST_H_
#define BNBENCH_MODEL_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/model/classifier.h"
#include "bnbench/model/preprocessing.h"

namespace bnbench {

// The format that is written today; the first is read as well.
inline constexpr int kManifestVersion = 2;

// One input of the test set and the scores the exporter saw for it.
struct Probe {
  std::size_t index;
  std::vector<double> scores;
};

struct Manifest {
  std::string torch_version;  // of the exporter; empty if the manifest has none
  std::string model_sha256;
  std::size_t model_size_bytes = 0;
  std::string model_format;  // "torchscript", "pt2", "onnx" or "aotinductor"
  InputSpec input;
  OutputSpec output;
  std::string inputs_sha256;
  std::string targets_sha256;
  std::size_t total = 0;
  std::size_t correct = 0;
  std::vector<std::int64_t> predictions;  // one class per input
  std::vector<Probe> probes;              // none if the model returns labels
};

// The manifest's path for a model: a.json for a.pt, but a.pt2.json for a.pt2 and a.onnx.json for
// a.onnx, so that a model in several formats has a manifest for each.
std::string ManifestPath(const std::string& model_path);

// Reads the manifest at `path`; throws ModelError naming it.
Manifest ReadManifest(const std::string& path);

// Checks the seal, which is the file's last line and the SHA-256 of all bytes before it, and only
// then parses `text`. Throws ModelError, which calls the manifest `name`.
Manifest ParseManifest(std::string_view text, const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_MANIFEST_H_
