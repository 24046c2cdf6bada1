#include "bnbench/model/manifest.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "bnbench/errors.h"
#include "bnbench/io/file.h"
#include "bnbench/io/sha256.h"

namespace bnbench {
namespace {

using Json = nlohmann::json;

// Ours have 30 KB, one of a million inputs would fit. Parsed, a manifest may take 64 times as much.
constexpr std::size_t kMaxManifestBytes = std::size_t{8} << 20;
constexpr std::size_t kMaxProbes = 10'000;
constexpr std::size_t kMaxClasses = 1'000'000;
constexpr std::size_t kMaxSize = std::size_t{1} << 40;
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

  // As many whole numbers below `num_classes`; without a Field for each, for there are thousands.
  std::vector<std::int64_t> Classes(std::size_t count, std::size_t num_classes) const {
    const auto is_class = [&](const Json& item) {
      return item.is_number_unsigned() && item.get<std::uint64_t>() < num_classes;
    };
    if (!value_.is_array() || value_.size() != count || !std::ranges::all_of(value_, is_class)) {
      Fail("a list of " + std::to_string(count) + " classes from 0 to " +
               std::to_string(num_classes - 1),
           "another");
    }
    std::vector<std::int64_t> classes(count);
    std::ranges::transform(value_, classes.begin(),
                           [](const Json& item) { return item.get<std::int64_t>(); });
    return classes;
  }

  std::string Text() const {
    if (!value_.is_string()) Fail("a string");
    return value_.get<std::string>();
  }

  bool IsNull() const { return value_.is_null(); }
  bool IsText() const { return value_.is_string(); }
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

std::size_t ReadVersion(const Field& root) {
  const Field field = root.Get("format_version");
  const std::size_t version = field.Count(1'000'000);
  if (version < 1 || version > kManifestVersion) {
    field.Fail(
        "1 to " + std::to_string(kManifestVersion),
        std::to_string(version) + (version > kManifestVersion ? ", which needs a newer bnbench"
                                                              : ", which no bnbench wrote"));
  }
  return version;
}

template <class Value, class Read>
std::vector<Value> ReadList(const Field& list, std::size_t max, Read read) {
  std::vector<Value> values;
  for (const Field& item : list.Items(0, max)) values.push_back(read(item));
  return values;
}

Shape ReadShape(const Field& field) {
  return ReadList<std::size_t>(field, 32, [](const Field& item) {
    const std::size_t size = item.Count(kMaxSize);
    if (size == 0) item.Fail("at least 1", "0");
    return size;
  });
}

DType ReadDType(const Field& field) {
  const std::optional<DType> dtype = FindDType(field.Text());
  if (!dtype) field.Fail("a type such as \"uint8\" or \"float32\"", "an unknown one");
  return *dtype;
}

std::vector<double> ReadNumbers(const Field& field) {
  return ReadList<double>(field, kMaxClasses, [](const Field& item) { return item.Number(); });
}

Step ReadStep(const Field& field) {
  const std::string kind = field.Get("step").Text();
  Step step{};
  if (kind == "divide") {
    step.kind = StepKind::kDivide;
    step.values = {field.Get("by").Number()};
  } else if (kind == "scale") {
    step.kind = StepKind::kScale;
    step.values = {field.Get("factor").Number()};
  } else if (kind == "normalize") {
    step.kind = StepKind::kNormalize;
    step.values = ReadNumbers(field.Get("mean"));
    step.deviations = ReadNumbers(field.Get("std"));
  } else if (kind == "reshape") {
    step.kind = StepKind::kReshape;
    step.shape = ReadShape(field.Get("shape"));
  } else if (kind == "cast") {
    step.kind = StepKind::kCast;
    step.dtype = ReadDType(field.Get("dtype"));
  } else {
    field.Get("step").Fail("divide, scale, normalize, reshape or cast", "an unknown step");
  }
  try {
    CheckStep(step, "step");
  } catch (const UsageError& error) {
    field.Fail("a step that can be computed", std::string(error.what()).substr(0, 200));
  }
  return step;
}

InputSpec ReadInput(const Field& field) {
  return {ReadShape(field.Get("shape")), ReadDType(field.Get("dtype")),
          ReadList<Step>(field.Get("preprocessing"), 64, ReadStep)};
}

OutputSpec ReadOutput(const Field& field) {
  OutputSpec output;
  const Field kind = field.Get("kind");
  output.kind = FindOutputKind(kind.Text());
  if (!output.kind) kind.Fail("logits, probabilities, log-probabilities or labels", "another kind");
  output.num_classes = field.Get("num_classes").Count(kMaxClasses);
  if (output.num_classes == 0) field.Get("num_classes").Fail("at least 1", "0");
  if (field.Has("element") && !field.Get("element").IsNull()) {
    const Field element = field.Get("element");
    if (element.IsText()) {
      output.element = element.Text();
    } else {
      output.element = element.Count(1'000'000);
    }
  }
  return output;
}

// What the first format leaves out: it knew one data set.
void FillFirstFormat(Manifest* manifest) {
  manifest->model_format = "torchscript";
  manifest->input = {{28, 28}, DType::kUint8, ParseSteps("divide=255,reshape=1x28x28")};
  manifest->output = {OutputKind::kLogits, 10, {}};
}

// The first format has one digit per image.
std::vector<std::int64_t> ReadDigits(const Field& expected, std::size_t total) {
  const std::string digits = expected.Get("predictions").Text();
  if (digits.size() != total || digits.find_first_not_of("0123456789") != std::string::npos) {
    expected.Get("predictions").Fail(std::to_string(total) + " digits", "others");
  }
  if (expected.Get("predictions_sha256").Sha256() != Sha256Hex(digits)) {
    expected.Get("predictions_sha256").Fail("the SHA-256 of expected.predictions", "another");
  }
  std::vector<std::int64_t> predictions(total);
  std::ranges::transform(digits, predictions.begin(), [](char digit) { return digit - '0'; });
  return predictions;
}

std::vector<std::int64_t> ReadPredictions(const Field& expected, std::size_t total,
                                          std::size_t num_classes) {
  std::vector<std::int64_t> predictions = expected.Get("predictions").Classes(total, num_classes);
  const std::string_view bytes(reinterpret_cast<const char*>(predictions.data()),
                               predictions.size() * sizeof(std::int64_t));
  if (expected.Get("predictions_sha256").Sha256() != Sha256Hex(bytes)) {
    expected.Get("predictions_sha256")
        .Fail("the SHA-256 of expected.predictions as int64", "another");
  }
  return predictions;
}

std::vector<Probe> ReadProbes(const Field& probes, std::size_t total, std::size_t num_classes) {
  const std::vector<Field> indices = probes.Get("indices").Items(1, std::min(total, kMaxProbes));
  const std::vector<Field> scores = probes.Get("logits").Items(indices.size(), indices.size());
  std::vector<Probe> result;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    Probe probe{indices[i].Count(total - 1), {}};
    for (const Field& score : scores[i].Items(num_classes, num_classes)) {
      probe.scores.push_back(score.Number());
    }
    result.push_back(std::move(probe));
  }
  return result;
}

}  // namespace

std::string ManifestPath(const std::string& model_path) {
  std::filesystem::path path(model_path);
  const bool appends = path.extension() == ".pt2" || path.extension() == ".onnx";
  return appends ? model_path + ".json" : path.replace_extension(".json").string();
}

Manifest ParseManifest(std::string_view text, const std::string& name) {
  CheckSeal(text, name);
  const Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    throw ModelError(name, "JSON", "text that is none, though its SHA-256 is right", kExportAgain);
  }
  const Field root(document, name, "");
  const bool is_first = ReadVersion(root) == 1;

  Manifest manifest;
  if (root.Has("versions") && root.Get("versions").Has("torch")) {
    manifest.torch_version = root.Get("versions").Get("torch").Version();
  }
  const Field model = root.Get("model");
  manifest.model_sha256 = model.Get("sha256").Sha256();
  manifest.model_size_bytes = model.Get("size_bytes").Count(kMaxSize);
  if (is_first) {
    FillFirstFormat(&manifest);
  } else {
    manifest.model_format = model.Get("format").Text();
    manifest.input = ReadInput(root.Get("input"));
    manifest.output = ReadOutput(root.Get("output"));
  }
  const Field data = root.Get("data");
  manifest.inputs_sha256 = data.Get(is_first ? "test_images_sha256" : "inputs_sha256").Sha256();
  manifest.targets_sha256 = data.Get(is_first ? "test_labels_sha256" : "targets_sha256").Sha256();

  const Field expected = root.Get("expected");
  const std::size_t num_classes = manifest.output.num_classes;
  manifest.total = expected.Get("total").Count(100'000'000);
  if (manifest.total == 0) expected.Get("total").Fail("at least 1", "0");
  manifest.correct = expected.Get("correct").Count(manifest.total);
  manifest.predictions = is_first ? ReadDigits(expected, manifest.total)
                                  : ReadPredictions(expected, manifest.total, num_classes);
  const bool gives_labels = manifest.output.kind == OutputKind::kLabels;
  if (!gives_labels) {
    manifest.probes = ReadProbes(expected.Get("probes"), manifest.total, num_classes);
  }
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
