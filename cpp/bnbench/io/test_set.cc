#include "bnbench/io/test_set.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "bnbench/errors.h"
#include "bnbench/io/idx.h"

namespace bnbench {
namespace {

// The path to a data file below `folder`, or an empty one if there is none.
std::string FindDataFile(const std::string& folder, const std::string& name) {
  namespace fs = std::filesystem;
  for (const fs::path& base : {fs::path(folder), fs::path(folder) / "FashionMNIST" / "raw"}) {
    for (const char* suffix : {"", ".gz"}) {
      const fs::path candidate = base / (name + suffix);
      std::error_code ignored;
      if (fs::exists(candidate, ignored)) return candidate.string();
    }
  }
  return {};
}

IdxArray LoadDataFile(const std::string& folder, const std::string& name, std::size_t rank) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw DataError("the data folder " + folder +
                    " does not exist or is no folder; name the one that holds " + name +
                    " with --data");
  }
  const std::string path = FindDataFile(folder, name);
  if (path.empty()) {
    throw DataError("got neither " + name + " nor " + name + ".gz in " + folder +
                    " or its FashionMNIST/raw; name the folder that holds them with --data");
  }
  IdxArray array = ReadIdx(path);
  if (array.shape.size() != rank) {
    throw DataError("IDX file " + path + " must have " + std::to_string(rank) +
                    (rank == 1 ? " dimension" : " dimensions") + " and has " +
                    std::to_string(array.shape.size()));
  }
  return array;
}

}  // namespace

void CheckLabels(std::span<const std::uint8_t> labels) {
  const auto bad = std::ranges::find_if(labels, [](std::uint8_t x) { return x >= kNumClasses; });
  if (bad != labels.end()) {
    throw DataError("labels must be 0 to 9, and label " + std::to_string(bad - labels.begin()) +
                    " is " + std::to_string(*bad));
  }
}

TestSet LoadTestSet(const std::string& folder, const std::string& split) {
  IdxArray images = LoadDataFile(folder, split + "-images-idx3-ubyte", 3);
  IdxArray labels = LoadDataFile(folder, split + "-labels-idx1-ubyte", 1);
  if (images.shape[1] != kImageSide || images.shape[2] != kImageSide) {
    throw DataError("images in " + folder + " must have 28x28 pixels and have " +
                    std::to_string(images.shape[1]) + "x" + std::to_string(images.shape[2]));
  }
  if (images.shape[0] != labels.shape[0]) {
    throw DataError("every image in " + folder + " needs one label; got " +
                    std::to_string(images.shape[0]) + " images and " +
                    std::to_string(labels.shape[0]) + " labels");
  }
  try {
    CheckLabels(labels.values);
  } catch (const DataError& error) {
    throw DataError("in " + folder + ", " + error.what());
  }
  return {std::move(images.values), std::move(labels.values), std::move(images.sha256),
          std::move(labels.sha256)};
}

void CheckTestSetHashes(const TestSet& test_set, const std::string& images_sha256,
                        const std::string& labels_sha256, const std::string& origin) {
  const auto check = [&](const char* what, const std::string& found, const std::string& required) {
    if (found == required) return;
    throw DataError(std::string("the test ") + what + " are not those of " + origin +
                    ": their SHA-256 must be " + required + " and is " + found +
                    "; restore the original files or name their folder with --data");
  };
  check("images", test_set.images_sha256, images_sha256);
  check("labels", test_set.labels_sha256, labels_sha256);
}

}  // namespace bnbench
