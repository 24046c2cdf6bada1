// The JSON file beside an exported model that says which bytes it is and what it must score.
#ifndef BNBENCH_MODEL_MANIFEST_H_
#define BNBENCH_MODEL_MANIFEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/io/test_set.h"

namespace bnbench {

inline constexpr int kManifestVersion = 1;

// One image of the test set and the logits the exporter saw for it.
struct Probe {
  std::size_t index;
  std::array<double, kNumClasses> logits;
};

struct Manifest {
  std::string torch_version;  // of the exporter; empty if the manifest has none
  std::string model_sha256;
  std::size_t model_size_bytes;
  std::string test_images_sha256;
  std::string test_labels_sha256;
  std::size_t total;
  std::size_t correct;
  std::string predictions;  // one digit per image
  std::vector<Probe> probes;
};

// The manifest's path for a model: the model's, with the suffix `.json`.
std::string ManifestPath(const std::string& model_path);

// Reads the manifest at `path`; throws ModelError naming it.
Manifest ReadManifest(const std::string& path);

// Checks the seal, which is the file's last line and the SHA-256 of all bytes before it, and only
// then parses `text`. Throws ModelError, which calls the manifest `name`.
Manifest ParseManifest(std::string_view text, const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_MANIFEST_H_
