#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bnbench/checked.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/errors.h"
#include "python/bindings.h"
#include "python/owned_array.h"

namespace bnbench {
namespace {

namespace py = pybind11;
using Bytes = py::array_t<std::uint8_t, py::array::c_style>;
using Labels = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;
using Floats = py::array_t<float, py::array::c_style>;
using Doubles = py::array_t<double, py::array::c_style>;

// A trial for Python. The arrays and the bytes are kept, not copied, for TrialInput's spans.
struct Trial {
  NetworkShape network;
  TrainingRecipe recipe;
  Doubles learning_rates;
  Floats parameters;
  py::bytes random_state;
};

template <class Value>
Value FindByName(const char* what, const std::string& name,
                 std::initializer_list<std::pair<const char*, Value>> values) {
  std::string names;
  for (const auto& [known, value] : values) {
    if (name == known) return value;
    if (!names.empty()) names += ", ";
    names += known;
  }
  throw UsageError(what, "one of " + names, name);
}

std::size_t TakeCount(const char* name, py::ssize_t value) {
  if (value < 1) {
    throw UsageError(name, "at least 1", std::to_string(value));
  }
  return static_cast<std::size_t>(value);
}

NetworkShape MakeNetwork(const std::vector<py::ssize_t>& hidden_sizes,
                         const std::string& normalization, const std::string& placement,
                         const std::string& activation, double dropout, bool residual) {
  NetworkShape network;
  for (const py::ssize_t size : hidden_sizes) {
    network.hidden_sizes.push_back(TakeCount("hidden_sizes", size));
  }
  network.normalization = FindByName<Normalization>("normalization", normalization,
                                                    {{"none", Normalization::kNone},
                                                     {"batch", Normalization::kBatch},
                                                     {"layer", Normalization::kLayer},
                                                     {"rms", Normalization::kRms}});
  network.placement = FindByName<Placement>(
      "placement", placement,
      {{"before", Placement::kBeforeActivation}, {"after", Placement::kAfterActivation}});
  network.activation = FindByName<Activation>("activation", activation,
                                              {{"relu", Activation::kRelu},
                                               {"gelu", Activation::kGelu},
                                               {"silu", Activation::kSilu},
                                               {"sigmoid", Activation::kSigmoid},
                                               {"tanh", Activation::kTanh}});
  network.dropout = dropout;
  network.is_residual = residual;
  return network;
}

Optimizer FindOptimizer(const std::string& name) {
  return FindByName<Optimizer>(
      "optimizer", name,
      {{"sgd", Optimizer::kSgd}, {"adam", Optimizer::kAdam}, {"adamw", Optimizer::kAdamW}});
}

EvaluationStatistics FindStatistics(const std::string& name) {
  return FindByName<EvaluationStatistics>(
      "evaluation_statistics", name,
      {{"running", EvaluationStatistics::kRunning}, {"precise", EvaluationStatistics::kPrecise}});
}

WeightAveraging FindAveraging(const std::string& name) {
  return FindByName<WeightAveraging>("weight_averaging", name,
                                     {{"none", WeightAveraging::kNone},
                                      {"ema", WeightAveraging::kEma},
                                      {"last-epoch", WeightAveraging::kLastEpoch}});
}

template <class T>
py::array_t<T, py::array::c_style> TakeValues(const char* name, const py::array& array,
                                              const char* dtype) {
  if (!py::isinstance<py::array_t<T>>(array) || array.ndim() != 1) {
    throw UsageError(name, std::string("a ") + dtype + " array of shape (N,)",
                     py::str(array.dtype()).cast<std::string>() + " of shape " +
                         py::str(array.attr("shape")).cast<std::string>());
  }
  return py::array_t<T, py::array::c_style>::ensure(array);
}

// A part of the data for Python. The inputs are kept, not copied, for LabeledInputs' span.
struct LabeledArrays {
  std::variant<Bytes, Floats> inputs;
  Labels labels;
};

LabeledArrays TakeLabeled(const char* part, const py::array& inputs, const py::array& labels) {
  const std::string name(part);
  if (labels.dtype().kind() != 'i' && labels.dtype().kind() != 'u') {
    throw DataError(name + "_labels", "an array of whole numbers",
                    py::str(labels.dtype()).cast<std::string>());
  }
  LabeledArrays taken{Bytes(), Labels::ensure(labels)};
  // ensure() copies only what is not contiguous.
  if (py::isinstance<py::array_t<std::uint8_t>>(inputs)) {
    taken.inputs = Bytes::ensure(inputs);
  } else if (py::isinstance<py::array_t<float>>(inputs)) {
    taken.inputs = Floats::ensure(inputs);
  } else {
    throw DataError(name + "_inputs", "a uint8 or float32 array",
                    py::str(inputs.dtype()).cast<std::string>());
  }
  return taken;
}

// The numbers per input: all sizes but the first.
std::size_t CountInputs(const py::array& inputs) {
  std::size_t count = 1;
  for (py::ssize_t i = 1; i < inputs.ndim(); ++i) {
    count = Multiply(count, static_cast<std::size_t>(inputs.shape(i)));
  }
  return count;
}

template <class T, int kFlags>
std::span<const T> View(const py::array_t<T, kFlags>& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

LabeledInputs View(const LabeledArrays& arrays) {
  LabeledInputs view;
  std::visit([&](const auto& inputs) { view.inputs = View(inputs); }, arrays.inputs);
  view.labels = View(arrays.labels);
  return view;
}

std::span<const std::uint8_t> View(const py::bytes& bytes) {
  const std::string_view view(bytes);
  return {reinterpret_cast<const std::uint8_t*>(view.data()), view.size()};
}

py::bytes MakeBytes(const std::vector<std::uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Trial MakeTrial(const std::vector<py::ssize_t>& hidden_sizes, const py::array& learning_rates,
                const py::array& parameters, py::bytes random_state,
                const std::string& normalization, const std::string& placement,
                const std::string& activation, double dropout, bool residual, py::ssize_t epochs,
                py::ssize_t batch_size, const std::string& optimizer, double momentum,
                bool nesterov, double beta1, double beta2, double epsilon, double weight_decay,
                bool drop_last, double label_smoothing, const std::string& evaluation_statistics,
                const std::string& weight_averaging, double averaging_decay) {
  return {MakeNetwork(hidden_sizes, normalization, placement, activation, dropout, residual),
          {.epochs = TakeCount("epochs", epochs),
           .batch_size = TakeCount("batch_size", batch_size),
           .optimizer = FindOptimizer(optimizer),
           .momentum = momentum,
           .is_nesterov = nesterov,
           .beta1 = beta1,
           .beta2 = beta2,
           .epsilon = epsilon,
           .weight_decay = weight_decay,
           .drops_last = drop_last,
           .label_smoothing = label_smoothing,
           .evaluation_statistics = FindStatistics(evaluation_statistics),
           .weight_averaging = FindAveraging(weight_averaging),
           .averaging_decay = averaging_decay},
          TakeValues<double>("learning_rates", learning_rates, "float64"),
          TakeValues<float>("parameters", parameters, "float32"),
          std::move(random_state)};
}

const char* Name(TrialStatus status) {
  switch (status) {
    case TrialStatus::kCompleted:
      return "completed";
    case TrialStatus::kFailed:
      return "failed";
    case TrialStatus::kStopped:
      break;
  }
  return "stopped";
}

// A view, which keeps the result it looks at.
py::object Parameters(const py::object& self) {
  const auto& result = self.cast<const TrialResult&>();
  if (result.status != TrialStatus::kCompleted) return py::none();
  return Floats(static_cast<py::ssize_t>(result.parameters.size()), result.parameters.data(), self);
}

// The results, in order, unless `on_trial` takes them.
std::vector<TrialResult> Train(const py::array& train_inputs, const py::array& train_labels,
                               const py::array& test_inputs, const py::array& test_labels,
                               py::ssize_t num_classes, const std::vector<Trial*>& trials,
                               py::ssize_t threads, const std::optional<py::function>& on_epoch,
                               const std::optional<py::function>& on_trial,
                               const std::string& instruction_set) {
  const LabeledArrays train = TakeLabeled("train", train_inputs, train_labels);
  const LabeledArrays test = TakeLabeled("test", test_inputs, test_labels);
  const DataShape shape{CountInputs(train_inputs), TakeCount("num_classes", num_classes)};
  std::vector<TrialInput> inputs;
  inputs.reserve(trials.size());
  for (const Trial* trial : trials) {
    inputs.push_back({trial->network, trial->recipe, View(trial->learning_rates),
                      View(trial->parameters), View(trial->random_state)});
  }

  EnsembleOptions options;
  options.threads = TakeCount("threads", threads);
  options.instruction_set = instruction_set;
  if (on_epoch) {
    options.on_epoch = [&](std::size_t trial, const EpochResult& epoch) {
      const py::gil_scoped_acquire locked;
      (*on_epoch)(trial, epoch);
    };
  }
  std::vector<TrialResult> results(on_trial ? 0 : trials.size());
  options.on_trial = [&](std::size_t trial, TrialResult result) {
    if (!on_trial) {
      results[trial] = std::move(result);
      return;
    }
    const py::gil_scoped_acquire locked;
    (*on_trial)(trial, std::move(result));
  };
  options.on_tick = [] {
    const py::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  };
  std::atomic<bool> stop{false};
  {
    const py::gil_scoped_release unlocked;
    TrainEnsemble({View(train), View(test), shape}, inputs, options, stop);
  }
  return results;
}

py::tuple TrainInFloat64(const py::array& train_inputs, const py::array& train_labels,
                         const py::array& test_inputs, const py::array& test_labels,
                         py::ssize_t num_classes, const Trial& trial, const py::array& parameters,
                         const std::string& instruction_set) {
  const LabeledArrays train = TakeLabeled("train", train_inputs, train_labels);
  const LabeledArrays test = TakeLabeled("test", test_inputs, test_labels);
  const DataShape shape{CountInputs(train_inputs), TakeCount("num_classes", num_classes)};
  const Doubles values = TakeValues<double>("parameters", parameters, "float64");
  BasicTrialResult<double> result =
      TrainInBinary64({View(train), View(test), shape},
                      {trial.network, trial.recipe, View(trial.learning_rates), View(values),
                       View(trial.random_state)},
                      instruction_set);
  if (result.status != TrialStatus::kCompleted) throw py::value_error(result.reason);
  const auto count = static_cast<py::ssize_t>(result.parameters.size());
  return py::make_tuple(std::move(result.epochs),
                        OwnedArray(std::move(result.parameters), {count}));
}

py::tuple Orders(const py::bytes& random_state, py::ssize_t num_inputs, py::ssize_t epochs) {
  BatchOrders orders = DrawBatchOrders(View(random_state), TakeCount("num_inputs", num_inputs),
                                       TakeCount("epochs", epochs));
  return py::make_tuple(OwnedArray(std::move(orders.indices), {epochs, num_inputs}),
                        MakeBytes(orders.random_state));
}

void BindClasses(py::module_& module) {
  py::class_<Trial>(module, "EnsembleTrial",
                    "One training run as asked for.\n\n"
                    "learning_rates: float64 (steps of all epochs,), or (1,) for all steps.\n"
                    "parameters: float32 (N,), layer by layer in the order of PyTorch's\n"
                    "state_dict without num_batches_tracked. random_state: the bytes of\n"
                    "torch.get_rng_state() after the network was built. None is copied.")
      .def(py::init(&MakeTrial), py::kw_only(), py::arg("hidden_sizes"), py::arg("learning_rates"),
           py::arg("parameters"), py::arg("random_state"), py::arg("normalization") = "none",
           py::arg("placement") = "before", py::arg("activation") = "relu",
           py::arg("dropout") = 0.0, py::arg("residual") = false, py::arg("epochs") = 1,
           py::arg("batch_size") = 64, py::arg("optimizer") = "sgd", py::arg("momentum") = 0.0,
           py::arg("nesterov") = false, py::arg("beta1") = 0.9, py::arg("beta2") = 0.999,
           py::arg("epsilon") = 1e-8, py::arg("weight_decay") = 0.0, py::arg("drop_last") = false,
           py::arg("label_smoothing") = 0.0, py::arg("evaluation_statistics") = "running",
           py::arg("weight_averaging") = "none", py::arg("averaging_decay") = 0.999);
  py::class_<EpochResult>(module, "EnsembleEpoch", "What was measured in one epoch of a trial.")
      .def_readonly("train_loss", &EpochResult::train_loss)
      .def_readonly("test_loss", &EpochResult::test_loss)
      .def_readonly("test_accuracy", &EpochResult::test_accuracy)
      .def_readonly("train_seconds", &EpochResult::train_seconds)
      .def_readonly("eval_seconds", &EpochResult::eval_seconds);
  py::class_<TrialResult>(
      module, "EnsembleResult",
      "What became of a trial. status: completed, failed or stopped; reason:\n"
      "why it failed, else empty; epochs: those that ended; parameters: float32\n"
      "(N,) after the last epoch, None unless completed.")
      .def_property_readonly("status",
                             [](const TrialResult& result) { return Name(result.status); })
      .def_readonly("reason", &TrialResult::reason)
      .def_readonly("epochs", &TrialResult::epochs)
      .def_property_readonly("parameters", &Parameters);
}

}  // namespace

void BindEnsemble(py::module_& module) {
  BindClasses(module);
  module.def(
      "train_ensemble", &Train, py::arg("train_inputs"), py::arg("train_labels"),
      py::arg("test_inputs"), py::arg("test_labels"), py::arg("num_classes"), py::arg("trials"),
      py::arg("threads") = 1, py::arg("on_epoch") = py::none(), py::arg("on_trial") = py::none(),
      py::arg("instruction_set") = "",
      "Train every trial on inputs of shape (N, ...), flattened, on the CPU.\n\n"
      "Inputs are float32, or uint8 and divided by 255; labels are whole numbers from 0.\n"
      "on_epoch(index of the trial, EnsembleEpoch) and on_trial(index, EnsembleResult) are called\n"
      "by this thread as the training goes on; what they raise stops it, as Ctrl-C does, and is\n"
      "raised from here. Other Python threads run meanwhile. A trial's results do not depend on\n"
      "the other trials, nor on the number of threads.\n"
      "Returns a list of EnsembleResult, one per trial; empty if on_trial takes them. Raises\n"
      "DataError or UsageError, both ValueError.");
  module.def("train_in_float64", &TrainInFloat64, py::arg("train_inputs"), py::arg("train_labels"),
             py::arg("test_inputs"), py::arg("test_labels"), py::arg("num_classes"),
             py::arg("trial"), py::arg("parameters"), py::arg("instruction_set") = "",
             "Train one trial in float64, by the code that trains in float32.\n\n"
             "The float64 parameters take the place of the trial's own. Returns (a list of\n"
             "EnsembleEpoch, the parameters after the last epoch). Raises ValueError with the\n"
             "reason if the trial fails.");
  module.def("draw_batch_orders", &Orders, py::arg("random_state"), py::arg("num_inputs"),
             py::arg("epochs"),
             "The orders in which a trial sees the training inputs.\n\n"
             "Returns (int64 array (epochs, num_inputs), the random state afterwards).");
  module.def("ensemble_instruction_sets", &SupportedInstructionSets,
             "Those train_ensemble can use here, the one it takes by default first.");
  module.def("ensemble_arithmetic", &DescribeArithmetic, py::arg("instruction_set") = "",
             "How train_ensemble computes: the instruction set, and how products are added.");
}

}  // namespace bnbench
