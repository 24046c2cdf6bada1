#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <utility>

#include "bnbench/io/idx.h"
#include "python/bindings.h"
#include "python/owned_array.h"

namespace bnbench {
namespace {

namespace py = pybind11;

py::array_t<std::uint8_t> ReadIdxArray(const std::filesystem::path& path) {
  IdxArray array = [&path] {
    const py::gil_scoped_release unlocked;
    return ReadIdx(path.string());
  }();
  return OwnedArray(std::move(array.values),
                    std::vector<py::ssize_t>(array.shape.begin(), array.shape.end()));
}

}  // namespace

void BindIdx(py::module_& module) {
  module.def("read_idx", &ReadIdxArray, py::arg("path"),
             "Read an IDX file of unsigned bytes, raw or gzipped.\n\n"
             "Returns a uint8 array of shape (count,) or (count, rows, columns).\n"
             "Raises DataError if the file is missing, truncated or malformed.");
}

}  // namespace bnbench
