#include "bnbench/model/libtorch.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/model/archive.h"
#include "bnbench/model/libtorch_process.h"
#include "bnbench/model/training_mode.h"

namespace bnbench {
namespace {

constexpr std::size_t kMaxReason = 160;

// Shortened and without control characters.
std::string ShortenLine(std::string_view line) {
  std::string text(line.substr(0, kMaxReason));
  if (line.size() > kMaxReason) text += "...";
  std::ranges::replace_if(
      text, [](char c) { return c >= 0 && c < 0x20; }, ' ');
  return text;
}

// The one line of a LibTorch message that a reader can act on, shortened and without control
// characters.
std::string FirstMeaningfulLine(std::string_view message) {
  std::string_view chosen;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find('\n'), message.size());
    std::string_view line = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    // The interpreter puts its traceback first and the cause, marked like this, last.
    for (const std::string_view marker : {"RuntimeError: ", "torch.jit.Error: "}) {
      if (line.starts_with(marker)) return FirstMeaningfulLine(line.substr(marker.size()));
    }
    if (chosen.empty() && !line.starts_with("The following operation failed")) chosen = line;
  }
  return chosen.empty() ? "no reason given" : ShortenLine(chosen);
}

// Runs `body`, which calls LibTorch, and turns any exception into a ModelError.
template <typename Body>
auto Guarded(const std::string& name, const std::string& expected, Body body) {
  try {
    return body();
  } catch (const Error&) {
    throw;
  } catch (const torch::jit::JITException& error) {
    // What the model itself raises.
    std::string kind = error.getPythonClassName().value_or("");
    kind = kind.substr(kind.rfind('.') + 1);
    throw ModelError(name, expected,
                     ShortenLine(kind + (kind.empty() ? "" : ": ") +
                                 error.getOriginalMsg().value_or("no reason given")));
  } catch (const c10::Error& error) {
    throw ModelError(name, expected, FirstMeaningfulLine(error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    throw ModelError(name, expected, "not enough memory", "try a smaller --batch-size");
  } catch (const std::exception& error) {
    throw ModelError(name, expected, FirstMeaningfulLine(error.what()));
  } catch (...) {
    throw ModelError(name, expected, "an unknown exception");
  }
}

std::string DescribeShape(const at::Tensor& tensor) {
  const auto sizes = tensor.sizes();
  std::string text = "(";
  for (const std::int64_t size : sizes) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  }
  return "shape " + text + (sizes.size() == 1 ? ",)" : ")");
}

c10::ScalarType AsTorch(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return at::kBool;
    case DType::kUint8:
      return at::kByte;
    case DType::kInt8:
      return at::kChar;
    case DType::kInt16:
      return at::kShort;
    case DType::kInt32:
      return at::kInt;
    case DType::kInt64:
      return at::kLong;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kBfloat16:
      return at::kBFloat16;
    case DType::kFloat32:
      return at::kFloat;
    case DType::kFloat64:
      return at::kDouble;
  }
  return at::kFloat;
}

// Of the types that round more coarsely than binary32; its own of all others.
double EpsilonOf(c10::ScalarType type) {
  if (type == at::kHalf) return Epsilon(DType::kFloat16);
  if (type == at::kBFloat16) return Epsilon(DType::kBfloat16);
  return Epsilon(DType::kFloat32);
}

// Of a model's coarsest type. Quantized modules round to 8 bits, and a GPU's to those of TF32.
double FindEpsilon(const torch::jit::Module& module, DType input, const c10::Device& device) {
  double epsilon = device.is_cpu() ? Epsilon(DType::kFloat32) : Epsilon(DType::kFloat16);
  epsilon = std::max(epsilon, EpsilonOf(AsTorch(input)));
  for (const at::Tensor& tensor : module.parameters()) {
    epsilon = std::max(epsilon, EpsilonOf(tensor.scalar_type()));
  }
  for (const torch::jit::Module& part : module.modules()) {
    const auto& name = part.type()->name();
    if (name && name->qualifiedName().find("quantized") != std::string::npos) {
      epsilon = std::max(epsilon, Epsilon(DType::kBfloat16));
    }
  }
  return epsilon;
}

class LibTorchClassifier : public Classifier {
 public:
  LibTorchClassifier(std::string name, torch::jit::Module module, c10::Device device, DType dtype,
                     const Shape& shape, OutputSpec output, TrainingFault fault)
      : name_(std::move(name)),
        module_(std::move(module)),
        device_(device),
        dtype_(AsTorch(dtype)),
        output_(std::move(output)) {
    for (const std::size_t size : shape) sizes_.push_back(static_cast<std::int64_t>(size));
    training_fault_ = std::move(fault);
    epsilon_ = FindEpsilon(module_, dtype, device_);
    kind_ = output_.kind.value_or(OutputKind::kLogits);
  }

  // One buffer for all batches, which stays in the processor's cache. It is torch's own, aligned as
  // torch aligns, for matrix products may round differently otherwise.
  std::byte* Prepare(std::size_t size) override {
    const auto batch = static_cast<std::int64_t>(size);
    if (!buffer_.defined() || buffer_.size(0) < batch) {
      std::vector<std::int64_t> sizes = {batch};
      sizes.insert(sizes.end(), sizes_.begin(), sizes_.end());
      buffer_ = at::empty(sizes, at::TensorOptions().dtype(dtype_));
    }
    return static_cast<std::byte*>(buffer_.mutable_data_ptr());
  }

  void Run(std::size_t size, std::vector<float>* scores) override {
    Guarded(name_, "to run on inputs of " + DescribeInput(), [&] {
      const c10::InferenceMode no_gradients;
      // Without this the first runs are spent on profiling and fusing, which takes longer than all
      // of the evaluation and may reorder the arithmetic.
      const torch::jit::GraphOptimizerEnabledGuard as_written(false);
      const auto batch = static_cast<std::int64_t>(size);
      const at::Tensor input = buffer_.narrow(0, 0, batch).to(device_);
      Take(Choose(module_.forward({input})), batch, scores);
      return 0;
    });
  }

 private:
  std::string DescribeInput() const {
    std::string text = "shape (N";
    for (const std::int64_t size : sizes_) text += ", " + std::to_string(size);
    return text + ") and type " + c10::toString(dtype_);
  }

  [[noreturn]] void Fail(const std::string& expected, const std::string& got,
                         const std::string& advice = "") const {
    throw ModelError(name_, expected, got, advice);
  }

  // The output that the spec names.
  at::Tensor Choose(const c10::IValue& result) const {
    constexpr char kNameOne[] = "name one with --element";
    if (const auto* index = std::get_if<std::size_t>(&output_.element)) {
      const std::string expected = "an output number " + std::to_string(*index);
      if (result.isTuple() || result.isList() || result.isTensorList()) {
        const std::vector<c10::IValue> items =
            result.isTuple() ? result.toTupleRef().elements().vec() : result.toListRef().vec();
        if (*index >= items.size()) Fail(expected, std::to_string(items.size()) + " outputs");
        return AsTensor(items[*index], expected);
      }
      Fail(expected, "a " + result.tagKind());
    }
    if (const auto* key = std::get_if<std::string>(&output_.element)) {
      const std::string expected = "an output `" + *key + "`";
      if (!result.isGenericDict()) Fail(expected, "a " + result.tagKind());
      const auto dictionary = result.toGenericDict();
      const auto found = dictionary.find(*key);
      if (found == dictionary.end()) Fail(expected, "none of that name");
      return AsTensor(found->value(), expected);
    }
    if (!result.isTensor()) {
      const bool has_several = result.isTuple() || result.isList() || result.isGenericDict();
      Fail("one tensor", "a " + result.tagKind(), has_several ? kNameOne : "");
    }
    return AsTensor(result, "one tensor");
  }

  at::Tensor AsTensor(const c10::IValue& value, const std::string& expected) const {
    if (!value.isTensor()) Fail(expected, "a " + value.tagKind());
    const at::Tensor& tensor = value.toTensor();
    if (!tensor.defined() || tensor.layout() != at::kStrided || tensor.is_complex() ||
        tensor.is_quantized()) {
      Fail("a tensor of numbers", "another kind of tensor");
    }
    return tensor;
  }

  // Appends what one batch gave; throws if it is not what was announced.
  void Take(const at::Tensor& tensor, std::int64_t batch, std::vector<float>* scores) {
    const bool is_float = at::isFloatingType(tensor.scalar_type());
    if (width_ == 0 && !output_.kind) {
      kind_ = is_float ? OutputKind::kLogits : OutputKind::kLabels;
    }
    const std::size_t start = scores->size();
    if (kind_ == OutputKind::kLabels) {
      TakeLabels(tensor, batch, scores);
    } else {
      TakeScores(tensor, batch, is_float, scores);
    }
    const auto taken = std::span(*scores).subspan(start);
    if (!std::ranges::all_of(taken, [](float x) { return std::isfinite(x); })) {
      Fail(Describe(batch), "NaN or infinite values");
    }
  }

  std::string Describe(std::int64_t batch) const {
    const std::string classes =
        output_.num_classes > 0 ? std::to_string(output_.num_classes) : "classes";
    return "float " + std::string(Name(kind_)) + " of shape (" + std::to_string(batch) + ", " +
           classes + ")";
  }

  void TakeScores(const at::Tensor& tensor, std::int64_t batch, bool is_float,
                  std::vector<float>* scores) {
    if (!is_float) {
      Fail(Describe(batch), "a tensor of type " + std::string(c10::toString(tensor.scalar_type())));
    }
    const auto width = tensor.dim() == 2 ? static_cast<std::size_t>(tensor.size(1)) : 0;
    const std::size_t expected = width_ > 0 ? width_ : output_.num_classes;
    if (width == 0 || tensor.size(0) != batch || (expected > 0 && width != expected)) {
      Fail(Describe(batch), DescribeShape(tensor));
    }
    if (width_ == 0) epsilon_ = std::max(epsilon_, EpsilonOf(tensor.scalar_type()));
    width_ = width;
    Append(tensor, scores);
  }

  void TakeLabels(const at::Tensor& tensor, std::int64_t batch, std::vector<float>* scores) {
    const std::string expected = "whole numbers of shape (" + std::to_string(batch) + ",)";
    if (!at::isIntegralType(tensor.scalar_type(), /*includeBool=*/false)) {
      Fail(expected, "a tensor of type " + std::string(c10::toString(tensor.scalar_type())));
    }
    if (tensor.numel() != batch || tensor.dim() < 1 || tensor.dim() > 2 ||
        tensor.size(0) != batch) {
      Fail(expected, DescribeShape(tensor));
    }
    width_ = 1;
    const std::size_t start = scores->size();
    Append(tensor, scores);
    const float end = output_.num_classes > 0 ? static_cast<float>(output_.num_classes) : kMaxLabel;
    for (const float label : std::span(*scores).subspan(start)) {
      if (label < 0 || label >= end) {
        Fail("labels from 0 to " + std::to_string(static_cast<std::int64_t>(end) - 1),
             std::to_string(static_cast<std::int64_t>(label)));
      }
    }
  }

  static void Append(const at::Tensor& tensor, std::vector<float>* scores) {
    // A view of a negated tensor has the other signs in memory until it is resolved.
    const at::Tensor values = tensor.to(at::kCPU).to(at::kFloat).resolve_neg().contiguous();
    const auto* first = values.const_data_ptr<float>();
    scores->insert(scores->end(), first, first + values.numel());
  }

  std::string name_;
  torch::jit::Module module_;
  c10::Device device_;
  c10::ScalarType dtype_;
  OutputSpec output_;
  std::vector<std::int64_t> sizes_;  // of one input
  at::Tensor buffer_;
};

}  // namespace

std::string LibTorchRuntime::version() const { return TorchVersion(); }

void LibTorchRuntime::Open(Device device) const {
  if (device == Device::kCuda) EnableCuda();
}

void LibTorchRuntime::SetNumThreads(int threads) const { bnbench::SetNumThreads(threads); }

std::unique_ptr<Classifier> LibTorchRuntime::Load(std::string_view bytes, const std::string& name,
                                                  DType dtype, const Shape& shape,
                                                  const OutputSpec& output, Device device) const {
  return Guarded(name, "a TorchScript model that LibTorch can load",
                 [&]() -> std::unique_ptr<Classifier> {
                   const c10::Device target(device == Device::kCuda ? c10::kCUDA : c10::kCPU);
                   CheckArchive(bytes, name);
                   torch::jit::Module module = torch::jit::load(ReadFromMemory(bytes), target,
                                                                /*load_debug_files=*/false);
                   if (!module.find_method("forward")) {
                     throw ModelError(name, "a method `forward`", "none");
                   }
                   TrainingFault fault = FindTrainingFault(module);
                   module.eval();
                   return std::make_unique<LibTorchClassifier>(
                       name, std::move(module), target, dtype, shape, output, std::move(fault));
                 });
}

}  // namespace bnbench
