#include "bnbench/model/libtorch_process.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <torch/version.h>

#include <exception>
#include <filesystem>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

#ifdef __APPLE__
constexpr char kCudaLibrary[] = "libtorch_cuda.dylib";
#else
constexpr char kCudaLibrary[] = "libtorch_cuda.so";
#endif

constexpr char kUseCpu[] = "use --device cpu";

// The folder of the LibTorch this process runs, wherever the dynamic linker found it.
std::filesystem::path LibTorchFolder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&at::show_config), &info) == 0 || !info.dli_fname) {
    return {};
  }
  return std::filesystem::path(info.dli_fname).parent_path();
}

}  // namespace

std::string TorchVersion() {
  // The headers give the version at build time; the library's build settings give its own.
  const std::string config = at::show_config();
  constexpr std::string_view kKey = "TORCH_VERSION=";
  const std::size_t start = config.find(kKey);
  if (start == std::string::npos) return TORCH_VERSION;
  const std::size_t end = config.find_first_of(", \n", start);
  return config.substr(start + kKey.size(), end - start - kKey.size());
}

void SetNumThreads(int threads) { at::set_num_threads(threads); }

void EnableCuda() {
  std::error_code ignored;
  const std::filesystem::path library = LibTorchFolder() / kCudaLibrary;
  if (!std::filesystem::exists(library, ignored)) {
    throw UsageError("--device", "a LibTorch with CUDA for cuda",
                     "no " + std::string(kCudaLibrary) + " in " + LibTorchFolder().string(),
                     kUseCpu);
  }
  // RTLD_GLOBAL because the library registers its operators with the ones already loaded.
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw UsageError("--device", "to open LibTorch's CUDA library", dlerror(), kUseCpu);
  }
  try {
    if (at::globalContext().hasCUDA()) return;
  } catch (const std::exception&) {
    // A driver that is too old throws instead; it is no usable GPU either.
  }
  throw UsageError("--device", "an NVIDIA GPU with its driver for cuda", "none", kUseCpu);
}

}  // namespace bnbench
