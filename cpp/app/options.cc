#include "app/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

// Where Debian's package dataset-fashion-mnist puts the data.
constexpr char kDebianDataFolder[] = "/usr/share/datasets/fashion-mnist";

constexpr char kDescription[] =
    "Evaluates exported TorchScript models on the FashionMNIST test set with LibTorch, and "
    "compares\n"
    "each with the manifest beside it (MODEL.json for MODEL.pt): the same file, the same correct\n"
    "count, the same predictions, the same logits within a tolerance.";

constexpr char kFooter[] =
    "Exit codes (the highest of all models):\n"
    "  0  every model agrees with its manifest, or none was asked for\n"
    "  1  internal error, or the output could not be written\n"
    "  2  usage: an option is wrong, the device is not there or a file cannot be written\n"
    "  3  data unusable: missing, malformed, or not the data of the manifest\n"
    "  4  model unusable: missing, malformed, or not the one in its manifest\n"
    "  5  results disagree with the manifest, or the model was exported in training mode\n"
    "\n"
    "A TorchScript file is code. Use --no-manifest only on files whose origin you trust.";

std::string DefaultDataFolder() {
  std::error_code ignored;
  return std::filesystem::is_directory(kDebianDataFolder, ignored) ? kDebianDataFolder : "";
}

// Whoever forgets the name would otherwise have a model or a manifest overwritten.
void CheckArrayName(const char* option, const std::string& path) {
  if (!path.empty() && !path.ends_with(".npy")) {
    throw UsageError(std::string(option) + " must name a file that ends in .npy, and names " +
                     path);
  }
}

}  // namespace

Options ParseOptions(int argc, const char* const* argv) {
  Options options;
  SessionSpec& session = options.session;
  session.data_folder = DefaultDataFolder();
  std::string device = "cpu";
  bool no_manifest = false;
  bool unchecked_data = false;

  CLI::App app(kDescription, "bnbench-eval");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("bnbench-eval ") + BNBENCH_VERSION);
  app.add_option("models", session.models, "TorchScript models to evaluate")
      ->required()
      ->type_name("MODEL.pt");
  app.add_option("--data", session.data_folder,
                 "folder with the test set, raw or .gz, itself or below FashionMNIST/raw")
      ->type_name("DIR")
      ->envname("BNBENCH_DATA")
      ->capture_default_str();
  app.add_option("--batch-size", session.batch_size, "images per forward pass")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000'000))
      ->capture_default_str();
  app.add_option("--threads", session.threads,
                 "models evaluated side by side, each by one thread; no result depends on it "
                 "[the processors there are]")
      ->type_name("N")
      ->check(CLI::Range(1, kMaxThreads));
  app.add_option("--device", device, "where the models run: cpu or cuda")
      ->type_name("DEVICE")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--logits", session.logits_path,
                 "write all logits as float32 (images, 10), or (models, images, 10) of several "
                 "models in the order given; NaN for a model that is unusable")
      ->type_name("FILE.npy");
  app.add_option("--predictions", session.predictions_path,
                 "write all predictions as uint8 (images), or (models, images); 255 for a model "
                 "that is unusable")
      ->type_name("FILE.npy");
  app.add_flag("--json", options.json, "print one JSON document instead of text");
  CLI::Option* no_manifest_flag =
      app.add_flag("--no-manifest", no_manifest, "evaluate bare TorchScript files, unchecked");
  app.add_option("--expect", session.manifest_path,
                 "hold the one model against this manifest instead of the one beside it")
      ->type_name("MANIFEST")
      ->excludes(no_manifest_flag);
  app.add_flag("--unchecked-data", unchecked_data,
               "with --no-manifest: accept a test set that is not FashionMNIST's")
      ->needs(no_manifest_flag);
  app.add_option("--logit-tolerance", session.logit_tolerance,
                 "allowed difference of the probe logits, relative to max(1, the largest expected)")
      ->type_name("T")
      ->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      std::ostringstream text;
      app.exit(error, text, text);
      options.text = text.str();
      return options;
    }
    throw UsageError(std::string(error.what()) + "; see bnbench-eval --help");
  }
  if (!std::isfinite(session.logit_tolerance) || session.logit_tolerance < 0) {
    throw UsageError("--logit-tolerance must be a finite number of at least 0");
  }
  if (!session.manifest_path.empty() && session.models.size() > 1) {
    throw UsageError("--expect is one model's manifest, and " +
                     std::to_string(session.models.size()) + " models are named");
  }
  CheckArrayName("--logits", session.logits_path);
  CheckArrayName("--predictions", session.predictions_path);
  if (!session.logits_path.empty() && session.logits_path == session.predictions_path) {
    throw UsageError("--logits and --predictions must name different files");
  }
  if (session.data_folder.empty()) {
    throw UsageError(
        "got no test set: name its folder with --data or BNBENCH_DATA, or install Debian's "
        "package dataset-fashion-mnist");
  }
  session.device = device == "cuda" ? Device::kCuda : Device::kCpu;
  session.use_manifest = !no_manifest;
  session.check_data = !unchecked_data;
  return options;
}

bool WantsJson(int argc, const char* const* argv) {
  return std::any_of(argv, argv + argc,
                     [](std::string_view argument) { return argument == "--json"; });
}

}  // namespace bnbench
