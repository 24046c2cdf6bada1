// The runtime that evaluates torch.export archives in a session, without LibTorch.
#ifndef BNBENCH_PORTABLE_RUNTIME_H_
#define BNBENCH_PORTABLE_RUNTIME_H_

#include <memory>
#include <string>
#include <string_view>

#include "bnbench/model/classifier.h"

namespace bnbench {

class PortableRuntime : public Runtime {
 public:
  std::string name() const override { return "portable"; }
  std::string version() const override;
  bool Reads(std::string_view format) const override { return format == "pt2"; }
  void Open(Device device) const override;
  void SetNumThreads(int threads) const override;
  std::unique_ptr<Classifier> Load(std::string_view bytes, const std::string& name, DType dtype,
                                   const Shape& shape, const OutputSpec& output,
                                   Device device) const override;
};

}  // namespace bnbench

#endif  // BNBENCH_PORTABLE_RUNTIME_H_
