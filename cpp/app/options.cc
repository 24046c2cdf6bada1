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

constexpr char kFooter[] =
    "--inputs and --targets name a .npy file, a .npz or .safetensors file (FILE:NAME for one of\n"
    "several arrays), or an IDX file. Without --inputs the FashionMNIST test set is taken from\n"
    "--data DIR if that is given, otherwise from the first of these folders that has it:\n"
    "BNBENCH_DATA if it is set, /usr/share/datasets/fashion-mnist (Debian's package),\n"
    "XDG_CACHE_HOME/bnbench or ~/.cache/bnbench (where 'bnbench data' puts it).\n"
    "\n"
    "Exit codes (the highest of all models):\n"
    "  0  every model agrees with its manifest, or none was asked for\n"
    "  1  internal error, or the output could not be written\n"
    "  2  usage: an option is wrong, the device is missing or a file cannot be written\n"
    "  3  data unusable: missing, malformed, or not the data of the manifest\n"
    "  4  model unusable: missing, malformed, or not the one in its manifest\n"
    "  5  results disagree with the manifest, depend on the batch or are not deterministic, or "
    "the\n"
    "     model was exported in training mode\n";

// An option without its value could otherwise overwrite a model or a manifest.
void CheckArrayName(const char* option, const std::string& path, const std::string& see_help) {
  if (!path.empty() && !path.ends_with(".npy")) {
    throw UsageError(option, "a file name that ends in .npy", path, see_help);
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

std::string CheckKind(const std::string& text) {
  if (FindOutputKind(text)) return {};
  return "expected logits, probabilities, log-probabilities or labels, got " + text;
}

// A position if it is a number, else a key.
Element ParseElement(const std::string& text) {
  std::size_t index = 0;
  if (CLI::detail::lexical_cast(text, index)) return index;
  return text;
}

std::string CheckDevice(const std::string& text) {
  return text == "cpu" || text == "cuda" ? "" : "expected cpu or cuda, got " + text;
}

}  // namespace

Options ParseOptions(int argc, const char* const* argv, const ProgramSpec& program) {
  const std::string see_help = "see " + program.name + " --help";
  Options options;
  SessionSpec& session = options.session;
  std::optional<std::string> data_folder;
  std::optional<std::string> steps;
  std::optional<std::string> kind;
  std::optional<std::string> element;
  int num_classes = 0;
  std::string device = "cpu";
  bool no_manifest = false;
  bool unchecked_data = false;

  CLI::App app(program.description, program.name);
  app.footer(kFooter + ("\n" + program.warning));
  app.set_version_flag("--version", program.name + " " + BNBENCH_VERSION);
  app.add_option("models", session.models, "models to evaluate")->type_name(program.model);
  app.add_option("--inputs", session.inputs_path,
                 "inputs, of shape (N, ...) and any type of number")
      ->type_name("FILE");
  app.add_option("--targets", session.targets_path, "their classes: N whole numbers from 0 on")
      ->type_name("FILE");
  app.add_option("--data", data_folder,
                 "folder with the test set, raw or .gz, in its FashionMNIST/raw or in itself")
      ->type_name("DIR");
  app.add_option("--batch-size", session.batch_size,
                 "inputs per forward pass [1000, or fewer if inputs have more than 16,777 numbers]")
      ->type_name("N")
      ->check(WholeNumber(1'000'000'000));
  app.add_option("--threads", session.threads,
                 "models evaluated side by side, in as many processes; no result depends on it "
                 "[one per processor]")
      ->type_name("N")
      ->check(WholeNumber(kMaxThreads));
  app.add_option("--threads-per-model", session.threads_per_model,
                 "threads of each process; another number may round differently")
      ->type_name("N")
      ->check(WholeNumber(kMaxThreads))
      ->capture_default_str();
  app.add_flag("--benchmark", session.benchmark,
               "repeat each evaluation, one model at a time, until the 95 % interval of the median "
               "time is within 2 % of it, and print it");
  app.add_option("--benchmark-seconds", session.benchmark_seconds,
                 "stop repeating after this time, narrow or not")
      ->type_name("SECONDS")
      ->check(WholeNumber(100'000))
      ->capture_default_str();
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
                 "write all scores as float32 (inputs, classes), or (models, inputs, classes) of "
                 "several models in the order given; NaN for a model that is unusable")
      ->type_name("FILE.npy");
  app.add_option("--predictions", session.predictions_path,
                 "write all predictions as uint8 (inputs), or (models, inputs); 255 for a model "
                 "that is unusable; int32 and -1 with more than 255 classes, or with labels")
      ->type_name("FILE.npy");
  app.add_flag("--json", options.json, "print one JSON document instead of text");
  app.add_flag("--no-manifest", no_manifest, "evaluate bare models, unchecked");
  app.add_option("--expect", session.manifest_path,
                 "compare the one model with this manifest instead of the one beside it")
      ->type_name("MANIFEST");
  app.add_flag("--unchecked-data", unchecked_data,
               "with --no-manifest: accept a test set that is not FashionMNIST's");
  app.add_option("--preprocess", steps,
                 "with --no-manifest: what is done to the inputs before the model, such as "
                 "divide=255,normalize=0.5/0.5,reshape=1x28x28 [with --inputs nothing, else "
                 "divide=255 and one channel]")
      ->type_name("STEPS");
  app.add_option("--output", kind,
                 "with --no-manifest: what the model returns: logits, probabilities, "
                 "log-probabilities or labels [labels if they are whole numbers, else logits]")
      ->type_name("KIND")
      ->check(CheckKind);
  app.add_option("--classes", num_classes, "with --no-manifest: how many classes it has")
      ->type_name("N")
      ->check(WholeNumber(1'000'000));
  app.add_option("--element", element,
                 "with --no-manifest: which of its outputs is the one, by position or key")
      ->type_name("INDEX|KEY");
  app.add_option(
         "--logit-tolerance", session.logit_tolerance,
         "allowed difference of the probes' scores, relative to max(1, the largest expected); "
         "at least 32 units of a type of 16 bits")
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
      throw Error(ExitCode::kUsage, text.substr(0, text.find(':')), text + "; " + see_help);
    }
    throw UsageError("command line", "known options with their values", "'" + text + "'", see_help);
  }
  if (!app.remaining().empty()) {
    throw UsageError(app.remaining().front(), "an option of " + program.name, "an unknown one",
                     see_help);
  }
  if (session.models.empty())
    throw UsageError(program.model, "at least one model", "none", see_help);
  if (!session.manifest_path.empty() && (no_manifest || session.models.size() > 1)) {
    throw UsageError(
        "--expect", "one model and no --no-manifest",
        no_manifest ? "--no-manifest" : std::to_string(session.models.size()) + " models",
        see_help);
  }
  if (unchecked_data && !no_manifest) {
    throw UsageError("--unchecked-data", "--no-manifest beside it", "none", see_help);
  }
  if (!session.inputs_path.empty() && data_folder) {
    throw UsageError("--inputs", "no --data beside it", "both", see_help);
  }
  if (!session.targets_path.empty() && session.inputs_path.empty()) {
    throw UsageError("--targets", "--inputs beside it", "none", see_help);
  }
  if (!no_manifest && (steps || kind || element || num_classes > 0)) {
    throw UsageError("--preprocess, --output, --classes and --element", "--no-manifest beside them",
                     "none", "leave them out, for the manifest says all four");
  }
  CheckArrayName("--logits", session.logits_path, see_help);
  CheckArrayName("--predictions", session.predictions_path, see_help);
  if (!session.logits_path.empty() && IsSamePath(session.logits_path, session.predictions_path)) {
    throw UsageError("--predictions", "another file than --logits", session.predictions_path,
                     see_help);
  }
  // A folder that was named is the only one, even if its name is empty, as an unset variable's.
  session.data_folders =
      data_folder ? std::vector<std::string>{*data_folder} : ListDataFolders(std::getenv);
  session.device = device == "cuda" ? Device::kCuda : Device::kCpu;
  session.use_manifest = !no_manifest;
  if (steps) session.steps = ParseSteps(*steps);
  session.output = {
      kind ? FindOutputKind(*kind) : std::nullopt, static_cast<std::size_t>(num_classes), {}};
  if (element) session.output.element = ParseElement(*element);
  session.check_data = !unchecked_data;
  return options;
}

bool WantsJson(int argc, const char* const* argv) {
  return std::any_of(argv, argv + argc,
                     [](std::string_view argument) { return argument == "--json"; });
}

}  // namespace bnbench
