#include "bnbench/io/test_set.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "bnbench/errors.h"
#include "bnbench/io/data_files.h"

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

Array LoadDataFile(const std::string& path, std::size_t rank) {
  Array array = ReadArray(path, "the test set", {});
  if (array.shape.size() != rank) {
    throw DataError(path, "an IDX file of " + std::to_string(rank) + " dimension(s)",
                    std::to_string(array.shape.size()));
  }
  return array;
}

template <class T>
void Widen(std::span<const std::byte> bytes, std::vector<std::int64_t>* values) {
  values->resize(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values->size(); ++i) {
    T value{};
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    // An int8 is a number here, and no character.
    (*values)[i] = static_cast<std::int64_t>(value);  // NOLINT(bugprone-signed-char-misuse)
  }
}

std::vector<std::int64_t> ReadTargets(const Array& array, std::size_t count,
                                      const std::string& name) {
  const bool is_column = array.shape.size() == 2 && array.shape[1] == 1;
  if (array.shape.size() != 1 && !is_column) {
    throw DataError(name, "one whole number per input, of shape (N,)",
                    "shape " + FormatShape(array.shape));
  }
  if (array.count() != count) {
    throw DataError(name, "one label for each of the " + std::to_string(count) + " inputs",
                    std::to_string(array.count()) + " labels");
  }
  std::vector<std::int64_t> targets;
  switch (array.dtype) {
    case DType::kUint8:
      Widen<std::uint8_t>(array.bytes, &targets);
      break;
    case DType::kInt8:
      Widen<std::int8_t>(array.bytes, &targets);
      break;
    case DType::kInt16:
      Widen<std::int16_t>(array.bytes, &targets);
      break;
    case DType::kInt32:
      Widen<std::int32_t>(array.bytes, &targets);
      break;
    case DType::kInt64:
      Widen<std::int64_t>(array.bytes, &targets);
      break;
    default:
      throw DataError(name, "classes as whole numbers", std::string(Name(array.dtype)),
                      "save them as int64");
  }
  const auto bad = std::ranges::find_if(targets, [](std::int64_t x) { return x < 0; });
  if (bad != targets.end()) {
    throw DataError(name, "classes from 0 on",
                    std::to_string(*bad) + " for input " + std::to_string(bad - targets.begin()));
  }
  return targets;
}

Array AsInt64(std::span<const std::int64_t> values) {
  const auto bytes = std::as_bytes(values);
  return MakeArray(DType::kInt64, {values.size()}, {bytes.begin(), bytes.end()});
}

// Empty unless all values fit.
Array AsBytes(std::span<const std::int64_t> values) {
  if (std::ranges::any_of(values, [](std::int64_t x) { return x > 255; })) return {};
  std::vector<std::byte> bytes(values.size());
  std::ranges::transform(values, bytes.begin(),
                         [](std::int64_t x) { return static_cast<std::byte>(x); });
  return MakeArray(DType::kUint8, {values.size()}, std::move(bytes));
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

bool ArrayHashes::Have(const std::string& sha256) {
  const auto has = [&] { return std::ranges::find(found_, sha256) != found_.end(); };
  First();
  if (has()) return true;
  if (found_.size() == 1) {
    if (!array_->file_sha256.empty()) found_.push_back(HashValues(*array_));
    found_.push_back(HashAsIdx(*as_idx_));
  }
  return has();
}

const std::string& ArrayHashes::First() {
  if (found_.empty()) {
    found_.push_back(array_->file_sha256.empty() ? HashValues(*array_) : array_->file_sha256);
  }
  return found_.front();
}

TestSet::TestSet(Array inputs)
    : inputs_(std::move(inputs)),
      input_hashes_(inputs_, inputs_),
      target_hashes_(target_array_, target_bytes_) {}

TestSet::TestSet(Array inputs, Array targets, const std::string& targets_name)
    : TestSet(std::move(inputs)) {
  targets_ = ReadTargets(targets, count(), targets_name);
  target_array_ = AsInt64(targets_);
  target_array_.file_sha256 = std::move(targets.file_sha256);
  target_bytes_ = AsBytes(targets_);
}

void TestSet::CheckHashes(const std::string& inputs_sha256, const std::string& targets_sha256,
                          const std::string& origin) {
  const auto check = [&](const char* what, ArrayHashes& hashes, const std::string& expected) {
    if (hashes.Have(expected)) return;
    throw DataError(std::string("test ") + what, "those of " + origin + ", SHA-256 " + expected,
                    hashes.First(),
                    "restore the original files or name them with --data, or --inputs and "
                    "--targets");
  };
  check("inputs", input_hashes_, inputs_sha256);
  if (has_targets()) check("targets", target_hashes_, targets_sha256);
}

TestSet LoadTestSet(std::span<const std::string> folders) {
  const DataFiles files = FindDataFiles(folders);
  Array images = LoadDataFile(files.images, 3);
  return {std::move(images), LoadDataFile(files.labels, 1), files.labels};
}

TestSet LoadTestSet(const std::string& inputs_path, const std::string& targets_path) {
  Array inputs = ReadArray(inputs_path, "--inputs", {"inputs", "x_test"});
  if (inputs.shape.empty()) {
    throw DataError(inputs_path, "an array of inputs, of shape (N, ...)", "a single number");
  }
  if (targets_path.empty()) return TestSet(std::move(inputs));
  Array targets = ReadArray(targets_path, "--targets", {"targets", "y_test"});
  return {std::move(inputs), std::move(targets), targets_path};
}

}  // namespace bnbench
