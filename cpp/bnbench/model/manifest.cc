#include "bnbench/model/manifest.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bnbench/errors.h"
#include "bnbench/io/file.h"
#include "bnbench/io/sha256.h"

namespace bnbench {
namespace {

using Json = nlohmann::json;

// Ours have 15 KB, one of a million images would fit. Parsed, a manifest may take 64 times as much.
constexpr std::size_t kMaxManifestBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxProbes = 10'000;
constexpr char kExportAgain[] = "export the model again";
constexpr std::string_view kSealStart = ",\n  \"manifest_sha256\": \"";
constexpr std::string_view kSealEnd = "\"\n}\n";

void CheckSeal(std::string_view text, const std::string& name) {
  const std::size_t seal_size = kSealStart.size() + 64 + kSealEnd.size();
  const std::string_view seal =
      text.size() > seal_size ? text.substr(text.size() - seal_size) : std::string_view();
  const std::string_view hex = seal.empty() ? seal : seal.substr(kSealStart.size(), 64);
  if (!seal.starts_with(kSealStart) || !seal.ends_with(kSealEnd) || !IsSha256Hex(hex)) {
    throw ModelError(name, "a bnbench manifest, whose last line is its SHA-256", "another ending",
                     kExportAgain);
  }
  const std::string found = Sha256Hex(text.substr(0, text.size() - seal_size));
  if (found != hex) {
    throw ModelError(name, "a manifest with SHA-256 " + std::string(hex), found, kExportAgain);
  }
}

// A value of the manifest with the file and the key it belongs to, for errors.
class Field {
 public:
  Field(const Json& value, std::string file, std::string name)
      : value_(value), file_(std::move(file)), name_(std::move(name)) {}

  [[noreturn]] void Fail(const std::string& expected) const { Fail(expected, value_.type_name()); }
  [[noreturn]] void Fail(const std::string& expected, const std::string& got) const {
    throw ModelError(file_ + (name_.empty() ? "" : ": " + name_), expected, got, kExportAgain);
  }

  Field Get(const std::string& key) const {
    if (!value_.is_object()) Fail("an object");
    const auto found = value_.find(key);
    const std::string name = name_.empty() ? key : name_ + "." + key;
    if (found == value_.end()) {
      throw ModelError(file_ + ": " + name, "a value", "none", kExportAgain);
    }
    return Field(*found, file_, name);
  }

  std::vector<Field> Items(std::size_t min, std::size_t max) const {
    if (!value_.is_array() || value_.size() < min || value_.size() > max) {
      const std::string range =
          std::to_string(min) + (min == max ? "" : " to " + std::to_string(max));
      Fail("a list of " + range + " items",
           value_.is_array() ? std::to_string(value_.size()) : value_.type_name());
    }
    std::vector<Field> items;
    for (std::size_t i = 0; i < value_.size(); ++i) {
      items.emplace_back(value_[i], file_, name_ + "[" + std::to_string(i) + "]");
    }
    return items;
  }

  std::size_t Count(std::size_t max) const {
    const std::string expected = "a whole number from 0 to " + std::to_string(max);
    // The parser stores every non-negative integer that fits as unsigned.
    if (!value_.is_number_unsigned())
      Fail(expected, value_.is_number() ? value_.dump() : value_.type_name());
    const auto count = value_.get<std::uint64_t>();
    if (count > max) Fail(expected, std::to_string(count));
    return static_cast<std::size_t>(count);
  }

  double Number() const {
    if (!value_.is_number()) Fail("a number");
    return value_.get<double>();
  }

  std::string Text() const {
    if (!value_.is_string()) Fail("a string");
    return value_.get<std::string>();
  }

  bool Has(const std::string& key) const { return value_.is_object() && value_.contains(key); }

  // Short, and of characters that do no harm in a terminal.
  std::string Version() const {
    const auto harmless = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             c == '.' || c == '+' || c == '-' || c == '_';
    };
    if (!value_.is_string() || value_.get_ref<const std::string&>().size() > 64 ||
        !std::ranges::all_of(value_.get_ref<const std::string&>(), harmless)) {
      Fail("a version such as \"2.14.1\"");
    }
    return Text();
  }

  std::string Sha256() const {
    if (!value_.is_string() || !IsSha256Hex(value_.get_ref<const std::string&>())) {
      Fail("a SHA-256 of 64 lower-case hexadecimal digits");
    }
    return Text();
  }

 private:
  const Json& value_;
  std::string file_;
  std::string name_;
};

void CheckVersion(const Field& root) {
  const Field field = root.Get("format_version");
  const std::size_t version = field.Count(1'000'000);
  if (version == kManifestVersion) return;
  field.Fail(
      std::to_string(kManifestVersion),
      std::to_string(version) + (version > kManifestVersion ? ", which needs a newer bnbench"
                                                            : ", which an older bnbench wrote"));
}

std::vector<Probe> ReadProbes(const Field& probes, std::size_t total) {
  const std::vector<Field> indices = probes.Get("indices").Items(1, std::min(total, kMaxProbes));
  const std::vector<Field> logits = probes.Get("logits").Items(indices.size(), indices.size());
  std::vector<Probe> result;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const std::vector<Field> row = logits[i].Items(kNumClasses, kNumClasses);
    Probe probe{indices[i].Count(total - 1), {}};
    std::ranges::transform(row, probe.logits.begin(), [](const Field& x) { return x.Number(); });
    result.push_back(probe);
  }
  return result;
}

}  // namespace

std::string ManifestPath(const std::string& model_path) {
  return std::filesystem::path(model_path).replace_extension(".json").string();
}

Manifest ParseManifest(std::string_view text, const std::string& name) {
  CheckSeal(text, name);
  const Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    throw ModelError(name, "JSON", "text that is none, though its SHA-256 is right", kExportAgain);
  }
  const Field root(document, name, "");
  CheckVersion(root);

  Manifest manifest{};
  if (root.Has("versions") && root.Get("versions").Has("torch")) {
    manifest.torch_version = root.Get("versions").Get("torch").Version();
  }
  const Field model = root.Get("model");
  manifest.model_sha256 = model.Get("sha256").Sha256();
  manifest.model_size_bytes = model.Get("size_bytes").Count(std::size_t{1} << 40);
  const Field data = root.Get("data");
  manifest.test_images_sha256 = data.Get("test_images_sha256").Sha256();
  manifest.test_labels_sha256 = data.Get("test_labels_sha256").Sha256();

  const Field expected = root.Get("expected");
  manifest.total = expected.Get("total").Count(100'000'000);
  if (manifest.total == 0) expected.Get("total").Fail("at least 1", "0");
  manifest.correct = expected.Get("correct").Count(manifest.total);
  manifest.predictions = expected.Get("predictions").Text();
  if (manifest.predictions.size() != manifest.total ||
      manifest.predictions.find_first_not_of("0123456789") != std::string::npos) {
    expected.Get("predictions").Fail(std::to_string(manifest.total) + " digits", "others");
  }
  const Field predictions_sha256 = expected.Get("predictions_sha256");
  if (predictions_sha256.Sha256() != Sha256Hex(manifest.predictions)) {
    predictions_sha256.Fail("the SHA-256 of expected.predictions", "another");
  }
  manifest.probes = ReadProbes(expected.Get("probes"), manifest.total);
  return manifest;
}

Manifest ReadManifest(const std::string& path) {
  return ParseManifest(
      ReadFile<ModelError>(path, kMaxManifestBytes, "the model's manifest",
                           "export the model again, or pass --no-manifest to evaluate it "
                           "unchecked"),
      path);
}

}  // namespace bnbench
