// Runs TorchScript models with LibTorch. It hides torch's headers.
#ifndef BNBENCH_MODEL_LIBTORCH_H_
#define BNBENCH_MODEL_LIBTORCH_H_

#include <memory>
#include <string>
#include <string_view>

#include "bnbench/model/classifier.h"

namespace bnbench {

// A TorchScript model is code: load only bytes you have reason to trust.
class LibTorchRuntime : public Runtime {
 public:
  std::string name() const override { return "libtorch"; }
  std::string version() const override;
  bool Reads(std::string_view format) const override { return format == "torchscript"; }
  void Open(Device device) const override;
  void SetNumThreads(int threads) const override;
  std::unique_ptr<Classifier> Load(std::string_view bytes, const std::string& name, DType dtype,
                                   const Shape& shape, const OutputSpec& output,
                                   Device device) const override;
};

}  // namespace bnbench

#endif  // BNBENCH_MODEL_LIBTORCH_H_
