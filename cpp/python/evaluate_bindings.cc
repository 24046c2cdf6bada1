#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <span>
#include <string>

#include "bnbench/errors.h"
#include "bnbench/io/test_set.h"
#include "bnbench/model/evaluate.h"
#include "python/bindings.h"
#include "python/owned_array.h"

namespace bnbench {
namespace {

namespace py = pybind11;
using Bytes = py::array_t<std::uint8_t, py::array::c_style>;

EvaluationRecord EvaluateUnlocked(const std::string& path, std::span<const std::uint8_t> images,
                                  std::span<const std::uint8_t> labels, std::size_t batch_size,
                                  std::string* training_fault) {
  const py::gil_scoped_release unlocked;
  CheckLabels(labels, "labels");
  const Model model = Model::Load(ReadModelFile(path), path);
  double seconds = 0;
  std::vector<float> logits = TimeLogits(model, images, batch_size, &seconds);
  *training_fault = model.training_fault().text;
  return Score(std::move(logits), labels, seconds);
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
  constexpr auto kSide = static_cast<py::ssize_t>(kImageSide);
  const Bytes image_bytes = TakeBytes(images, "images", "(N, 28, 28) with N of at least 1",
                                      images.ndim() == 3 && images.shape(0) > 0 &&
                                          images.shape(1) == kSide && images.shape(2) == kSide);
  const Bytes label_bytes = TakeBytes(labels, "labels", "(N,), as many as images",
                                      labels.ndim() == 1 && labels.shape(0) == images.shape(0));
  if (batch_size < 1) {
    throw UsageError("batch_size", "at least 1", std::to_string(batch_size));
  }
  std::string training_fault;
  EvaluationRecord record = EvaluateUnlocked(
      path.string(), {image_bytes.data(), static_cast<std::size_t>(image_bytes.size())},
      {label_bytes.data(), static_cast<std::size_t>(label_bytes.size())},
      static_cast<std::size_t>(batch_size), &training_fault);

  std::vector<std::uint8_t> predictions;
  predictions.reserve(record.predictions.size());
  for (const char digit : record.predictions) {
    predictions.push_back(static_cast<std::uint8_t>(digit - '0'));
  }
  const py::ssize_t count = images.shape(0);
  py::dict result;
  result["logits"] = OwnedArray(std::move(record.logits), {count, kNumClasses});
  result["predictions"] = OwnedArray(std::move(predictions), {count});
  result["correct"] = record.correct;
  result["seconds"] = record.seconds;
  result["training_fault"] = training_fault.empty() ? py::none() : py::cast(training_fault);
  return result;
}

}  // namespace

void BindEvaluate(py::module_& module) {
  module.def(
      "evaluate_model", &EvaluateModel, py::arg("path"), py::arg("images"), py::arg("labels"),
      py::arg("batch_size") = 1000,
      "Run a TorchScript model over uint8 images (N, 28, 28), divided by 255, on the CPU.\n\n"
      "Returns a dict: logits (float32, (N, 10)), predictions (uint8, (N,)), correct (int),\n"
      "seconds (float, from the bytes to the logits) and training_fault (why the model is not in\n"
      "evaluation mode, or None). Other Python threads run meanwhile.\n"
      "Raises ModelError, DataError or UsageError, all of them ValueError.\n\n"
      "A TorchScript file is code, and no manifest is checked here.");
}

}  // namespace bnbench
