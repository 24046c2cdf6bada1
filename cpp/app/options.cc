#include "app/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string_view>

#include "bnbench/errors.h"
#include "bnbench/io/test_set.h"

namespace bnbench {
namespace {

namespace fs = std::filesystem;

constexpr char kDescription[] =
    "Evaluates exported TorchScript models on the FashionMNIST test set with LibTorch, and "
    "compares\n"
    "each with the manifest beside it (MODEL.json for MODEL.pt): the same file, the same correct\n"
    "count, the same predictions, the same logits within a tolerance.";

constexpr char kFooter[] =
    "The test set is taken from --data DIR if that is given, otherwise from the first of these\n"
    "folders that has it: BNBENCH_DATA if it is set, /usr/share/datasets/fashion-mnist (Debian's\n"
    "package), XDG_CACHE_HOME/bnbench or ~/.cache/bnbench (where 'bnbench data' puts it).\n"
    "\n"
    "Exit codes (the highest of all models):\n"
    "  0  every model agrees with its manifest, or none was asked for\n"
    "  1  internal error, or the output could not be written\n"
    "  2  usage: an option is wrong, the device is missing or a file cannot be written\n"
    "  3  data unusable: missing, malformed, or not the data of the manifest\n"
    "  4  model unusable: missing, malformed, or not the one in its manifest\n"
    "  5  results disagree with the manifest, or the model was exported in training mode\n"
    "\n"
    "A TorchScript file is code, with or without a manifest. The SHA-256 in a manifest is a "
    "checksum,\n"
    "which anybody can make: check a signature of the manifest before you run files of others "
    "(see\n"
    "docs/verify-a-model.md). A model has limits of time and memory, but no sandbox. What it "
    "prints\n"
    "goes nowhere.";

constexpr char kSeeHelp[] = "see bnbench-eval --help";

// An option without its value could otherwise overwrite a model or a manifest.
void CheckArrayName(const char* option, const std::string& path) {
  if (!path.empty() && !path.ends_with(".npy")) {
    throw UsageError(option, "a file name that ends in .npy", path, kSeeHelp);
  }
}

// Whether two paths name one file, which need not be there, in a folder that is.
bool IsSamePath(const std::string& a, const std::string& b) {
  const auto resolve = [](const fs::path& path) {
    std::error_code ignored;
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    return fs::weakly_canonical(folder, ignored) / path.filename();
  };
  return !b.empty() && resolve(a) == resolve(b);
}

// A check of CLI11: the error text, without the option's name; empty if `text` is right.
CLI::Validator WholeNumber(int max) {
  return {[max](const std::string& text) {
            int value = 0;
            if (CLI::detail::lexical_cast(text, value) && value >= 1 && value <= max) {
              return std::string();
            }
            return "expected a whole number from 1 to " + std::to_string(max) + ", got " + text;
          },
          ""};
}

std::string CheckTolerance(const std::string& text) {
  double value = 0;
  if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value >= 0) return {};
  return "expected a finite number of at least 0, got " + text;
}

std::string CheckDevice(const std::string& text) {
  return text == "cpu" || text == "cuda" ? "" : "expected cpu or cuda, got " + text;
}

}  // namespace

Options ParseOptions(int argc, const char* const* argv) {
  Options options;
  SessionSpec& session = options.session;
  std::optional<std::string> data_folder;
  std::string device = "cpu";
  bool no_manifest = false;
  bool unchecked_data = false;

  CLI::App app(kDescription, "bnbench-eval");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("bnbench-eval ") + BNBENCH_VERSION);
  app.add_option("models", session.models, "TorchScript models to evaluate")->type_name("MODEL.pt");
  app.add_option("--data", data_folder,
                 "folder with the test set, raw or .gz, in its FashionMNIST/raw or in itself")
      ->type_name("DIR");
  app.add_option("--batch-size", session.batch_size, "images per forward pass")
      ->type_name("N")
      ->check(WholeNumber(1'000'000'000))
      ->capture_default_str();
  app.add_option("--threads", session.threads,
                 "models evaluated side by side, in as many processes of one thread; no result "
                 "depends on it "
                 "[one per processor]")
      ->type_name("N")
      ->check(WholeNumber(kMaxThreads));
  app.add_option("--timeout", session.timeout_seconds,
                 "end a model that takes longer to load and run")
      ->type_name("SECONDS")
      ->check(WholeNumber(1'000'000))
      ->capture_default_str();
  app.add_option("--memory", session.memory_mib, "refuse a model that needs more (not with cuda)")
      ->type_name("MIB")
      ->check(WholeNumber(1'000'000))
      ->capture_default_str();
  app.add_flag("--isolate", session.isolate,
               "run each model in a fresh process, also one with a manifest");
  app.add_option("--device", device, "where the models run: cpu or cuda")
      ->type_name("DEVICE")
      ->check(CheckDevice)
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
  app.add_flag("--no-manifest", no_manifest, "evaluate bare TorchScript files, unchecked");
  app.add_option("--expect", session.manifest_path,
                 "compare the one model with this manifest instead of the one beside it")
      ->type_name("MANIFEST");
  app.add_flag("--unchecked-data", unchecked_data,
               "with --no-manifest: accept a test set that is not FashionMNIST's");
  app.add_option("--logit-tolerance", session.logit_tolerance,
                 "allowed difference of the probe logits, relative to max(1, the largest expected)")
      ->type_name("T")
      ->check(CheckTolerance)
      ->capture_default_str();

  app.allow_extras();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      std::ostringstream text;
      app.exit(error, text, text);
      options.text = text.str();
      return options;
    }
    const std::string text = error.what();
    // The checks above give the whole sentence; other texts of CLI11 do not.
    if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) {
      throw Error(ExitCode::kUsage, text.substr(0, text.find(':')), text + "; " + kSeeHelp);
    }
    throw UsageError("command line", "known options with their values", "'" + text + "'", kSeeHelp);
  }
  if (!app.remaining().empty()) {
    throw UsageError(app.remaining().front(), "an option of bnbench-eval", "an unknown one",
                     kSeeHelp);
  }
  if (session.models.empty()) throw UsageError("MODEL.pt", "at least one model", "none", kSeeHelp);
  if (!session.manifest_path.empty() && (no_manifest || session.models.size() > 1)) {
    throw UsageError(
        "--expect", "one model and no --no-manifest",
        no_manifest ? "--no-manifest" : std::to_string(session.models.size()) + " models",
        kSeeHelp);
  }
  if (unchecked_data && !no_manifest) {
    throw UsageError("--unchecked-data", "--no-manifest beside it", "none", kSeeHelp);
  }
  CheckArrayName("--logits", session.logits_path);
  CheckArrayName("--predictions", session.predictions_path);
  if (!session.logits_path.empty() && IsSamePath(session.logits_path, session.predictions_path)) {
    throw UsageError("--predictions", "another file than --logits", session.predictions_path,
                     kSeeHelp);
  }
  // A folder that was named is the only one, even if its name is empty, as an unset variable's.
  session.data_folders =
      data_folder ? std::vector<std::string>{*data_folder} : ListDataFolders(std::getenv);
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
