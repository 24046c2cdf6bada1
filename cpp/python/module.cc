// bnbench._native: the C++ library for Python. NumPy arrays go in and come out; torch's Python side
// is not involved, so it makes no difference whether torch is imported before, after or never.

#include <pybind11/pybind11.h>

#include "bnbench/errors.h"
#include "bnbench/model/libtorch_process.h"
#include "python/bindings.h"

PYBIND11_MODULE(_native, module) {
  module.doc() = "The C++ side of bnbench: reads IDX files and evaluates TorchScript models.";
  pybind11::register_exception<bnbench::UsageError>(module, "UsageError", PyExc_ValueError);
  pybind11::register_exception<bnbench::DataError>(module, "DataError", PyExc_ValueError);
  pybind11::register_exception<bnbench::ModelError>(module, "ModelError", PyExc_ValueError);
  module.def("torch_version", &bnbench::TorchVersion,
             "The version of the LibTorch this module runs.");
  bnbench::BindEnsemble(module);
  bnbench::BindIdx(module);
  bnbench::BindEvaluate(module);
}
