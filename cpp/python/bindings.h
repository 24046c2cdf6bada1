// The parts of the Python module bnbench._native, one function each.
#ifndef BNBENCH_PYTHON_BINDINGS_H_
#define BNBENCH_PYTHON_BINDINGS_H_

#include <pybind11/pybind11.h>

namespace bnbench {

void BindEnsemble(pybind11::module_& module);
void BindIdx(pybind11::module_& module);
void BindEvaluate(pybind11::module_& module);

}  // namespace bnbench

#endif  // BNBENCH_PYTHON_BINDINGS_H_
