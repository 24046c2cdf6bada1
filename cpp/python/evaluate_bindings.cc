#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/io/file.h"
#include "bnbench/model/libtorch.h"
#include "bnbench/model/preprocessing.h"
#include "bnbench/model/scores.h"
#include "python/bindings.h"
#include "python/owned_array.h"

namespace bnbench {
namespace {

namespace py = pybind11;
using Bytes = py::array_t<std::uint8_t, py::array::c_style>;

constexpr std::size_t kMaxModelBytes = std::size_t{4} << 30;

EvaluationRecord EvaluateUnlocked(const std::string& path, const Shape& shape,
                                  std::span<const std::uint8_t> images,
                                  std::span<const std::int64_t> labels, std::size_t batch_size,
                                  std::string* training_fault) {
  const py::gil_scoped_release unlocked;
  const std::string bytes = ReadFile<ModelError>(path, kMaxModelBytes, "a model file");
  Shape with_channel = shape;
  with_channel.insert(with_channel.begin(), 1);
  const Preprocessor preprocessor(
      {shape,
       DType::kUint8,
       {{StepKind::kDivide, {255}, {}, {}}, {StepKind::kReshape, {}, {}, with_channel}}},
      path);
  const std::unique_ptr<Classifier> model =
      LibTorchRuntime().Load(bytes, path, preprocessor.dtype(), preprocessor.shape(),
                             {OutputKind::kLogits, 0, {}}, Device::kCpu);
  *training_fault = model->training_fault().text;
  const auto start = std::chrono::steady_clock::now();
  const auto stored = std::as_bytes(images);
  const std::size_t size = stored.size() / labels.size();
  Scores scores;
  for (std::size_t first = 0; first < labels.size(); first += batch_size) {
    const std::size_t count = std::min(batch_size, labels.size() - first);
    preprocessor.Run(stored.data() + first * size, count, model->Prepare(count));
    model->Run(count, &scores.values);
  }
  scores.width = model->width();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (static_cast<std::size_t>(labels[i]) < scores.width) continue;
    throw DataError("labels", "classes from 0 to " + std::to_string(scores.width - 1),
                    std::to_string(labels[i]) + " for image " + std::to_string(i));
  }
  return Score(std::move(scores), labels, elapsed.count());
}

Bytes TakeBytes(const py::array& array, const char* name, const char* shape, bool shape_is_right) {
  if (!py::isinstance<py::array_t<std::uint8_t>>(array) || !shape_is_right) {
    throw DataError(name, std::string("a uint8 array of shape ") + shape,
                    py::str(array.dtype()).cast<std::string>() + " of shape " +
                        py::str(array.attr("shape")).cast<std::string>());
  }
  return Bytes::ensure(array);  // copies only what is not contiguous
}

py::dict EvaluateModel(const std::filesystem::path& path, const py::array& images,
                       const py::array& labels, py::ssize_t batch_size) {
  const Bytes image_bytes = TakeBytes(images, "images", "(N, rows, columns), none of them 0",
                                      images.ndim() == 3 && images.size() > 0);
  const Bytes label_bytes = TakeBytes(labels, "labels", "(N,), as many as images",
                                      labels.ndim() == 1 && labels.shape(0) == images.shape(0));
  if (batch_size < 1) {
    throw UsageError("batch_size", "at least 1", std::to_string(batch_size));
  }
  const Shape shape = {static_cast<std::size_t>(images.shape(1)),
                       static_cast<std::size_t>(images.shape(2))};
  const std::vector<std::int64_t> targets(label_bytes.data(),
                                          label_bytes.data() + label_bytes.size());
  std::string training_fault;
  EvaluationRecord record = EvaluateUnlocked(
      path.string(), shape, {image_bytes.data(), static_cast<std::size_t>(image_bytes.size())},
      targets, static_cast<std::size_t>(batch_size), &training_fault);

  const py::ssize_t count = images.shape(0);
  py::dict result;
  result["logits"] = OwnedArray(std::move(record.scores.values),
                                {count, static_cast<py::ssize_t>(record.scores.width)});
  result["predictions"] = OwnedArray(std::move(record.predictions), {count});
  result["correct"] = record.correct.value_or(0);
  result["seconds"] = record.seconds;
  result["training_fault"] = training_fault.empty() ? py::none() : py::cast(training_fault);
  return result;
}

}  // namespace

void BindEvaluate(py::module_& module) {
  module.def(
      "evaluate_model", &EvaluateModel, py::arg("path"), py::arg("images"), py::arg("labels"),
      py::arg("batch_size") = 1000,
      "Run a TorchScript model over uint8 images (N, rows, columns), divided by 255, on the "
      "CPU.\n\n"
      "Returns a dict: logits (float32, (N, classes)), predictions (int64, (N,)), correct (int),\n"
      "seconds (float, from the bytes to the logits) and training_fault (why the model is not in\n"
      "evaluation mode, or None). Other Python threads run meanwhile.\n"
      "Raises ModelError, DataError or UsageError, all of them ValueError.\n\n"
      "A TorchScript file is code, and no manifest is checked here.");
}

}  // namespace bnbench
