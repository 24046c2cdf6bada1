#include "bnbench/io/test_set.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "bnbench/errors.h"
#include "bnbench/io/idx.h"

namespace bnbench {
namespace {

namespace fs = std::filesystem;

constexpr char kImagesName[] = "t10k-images-idx3-ubyte";
constexpr char kLabelsName[] = "t10k-labels-idx1-ubyte";

// Where Debian's package dataset-fashion-mnist puts the data.
constexpr char kDebianFolder[] = "/usr/share/datasets/fashion-mnist";

// The path to a data file in `folder`, raw or .gz; empty if there is none.
std::string FindDataFile(const fs::path& folder, const std::string& name) {
  for (const char* suffix : {"", ".gz"}) {
    const fs::path candidate = folder / (name + suffix);
    std::error_code ignored;
    if (fs::exists(candidate, ignored)) return candidate.string();
  }
  return {};
}

struct DataFiles {
  std::string images;
  std::string labels;
};

DataFiles FindDataFiles(std::span<const std::string> folders) {
  std::string places;
  for (const std::string& root : folders) {
    for (const fs::path& folder : {fs::path(root) / "FashionMNIST" / "raw", fs::path(root)}) {
      DataFiles files{FindDataFile(folder, kImagesName), FindDataFile(folder, kLabelsName)};
      if (!files.images.empty() && !files.labels.empty()) return files;
      if (!files.images.empty() || !files.labels.empty()) {
        throw DataError(folder.string(),
                        std::string("both ") + kImagesName + " and " + kLabelsName + " (or .gz)",
                        "only one of them", "add the other or delete the one");
      }
    }
    places += (places.empty() ? "" : ", ") + root;
  }
  throw DataError("test set", std::string(kImagesName) + " and " + kLabelsName + " (or .gz)",
                  "none in these folders or their FashionMNIST/raw: " + places,
                  "run 'bnbench data' to fetch them, or name their folder with --data");
}

IdxArray LoadDataFile(const std::string& path, std::size_t rank) {
  IdxArray array = ReadIdx(path);
  if (array.shape.size() != rank) {
    throw DataError(path, "an IDX file of " + std::to_string(rank) + " dimension(s)",
                    std::to_string(array.shape.size()));
  }
  return array;
}

}  // namespace

std::vector<std::string> ListDataFolders(
    const std::function<const char*(const char*)>& get_variable) {
  const auto get = [&](const char* name) {
    const char* value = get_variable(name);
    return fs::path(value == nullptr ? "" : value);
  };
  std::vector<std::string> folders;
  if (const fs::path named = get("BNBENCH_DATA"); !named.empty()) folders.push_back(named);
  folders.emplace_back(kDebianFolder);
  fs::path cache = get("XDG_CACHE_HOME");
  if (const fs::path home = get("HOME"); cache.empty() && !home.empty()) cache = home / ".cache";
  if (!cache.empty()) folders.push_back(cache / "bnbench");
  return folders;
}

void CheckLabels(std::span<const std::uint8_t> labels, const std::string& name) {
  const auto bad = std::ranges::find_if(labels, [](std::uint8_t x) { return x >= kNumClasses; });
  if (bad != labels.end()) {
    throw DataError(name, "labels from 0 to 9",
                    std::to_string(*bad) + " for image " + std::to_string(bad - labels.begin()));
  }
}

TestSet LoadTestSet(std::span<const std::string> folders) {
  const DataFiles files = FindDataFiles(folders);
  IdxArray images = LoadDataFile(files.images, 3);
  IdxArray labels = LoadDataFile(files.labels, 1);
  if (images.shape[1] != kImageSide || images.shape[2] != kImageSide) {
    throw DataError(files.images, "images of 28x28 pixels",
                    std::to_string(images.shape[1]) + "x" + std::to_string(images.shape[2]));
  }
  if (images.shape[0] != labels.shape[0]) {
    throw DataError(files.labels,
                    "one label for each of the " + std::to_string(images.shape[0]) + " images",
                    std::to_string(labels.shape[0]) + " labels");
  }
  CheckLabels(labels.values, files.labels);
  return {std::move(images.values), std::move(labels.values), std::move(images.sha256),
          std::move(labels.sha256)};
}

void CheckTestSetHashes(const TestSet& test_set, const std::string& images_sha256,
                        const std::string& labels_sha256, const std::string& origin) {
  const auto check = [&](const char* what, const std::string& found, const std::string& expected) {
    if (found == expected) return;
    throw DataError(std::string("test ") + what, "those of " + origin + ", SHA-256 " + expected,
                    found, "restore the original files or name their folder with --data");
  };
  check("images", test_set.images_sha256, images_sha256);
  check("labels", test_set.labels_sha256, labels_sha256);
}

}  // namespace bnbench
