#include "bnbench/model/evaluate.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>

#include "bnbench/errors.h"
#include "bnbench/io/file.h"
#include "bnbench/io/test_set.h"
#include "bnbench/model/archive.h"
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
auto Guarded(const std::string& name, const char* expected, Body body) {
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

std::string Shape(const at::Tensor& tensor) {
  std::string text = "(";
  for (const std::int64_t size : tensor.sizes()) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  }
  return text + ")";
}

// Copies the logits of one batch to `output`; throws if the model `name` returned something else.
void TakeLogits(const c10::IValue& result, std::int64_t batch, const std::string& name,
                std::span<float> output) {
  const auto fail = [&](const std::string& got) {
    throw ModelError(name, "float logits of shape (" + std::to_string(batch) + ", 10)", got);
  };
  if (!result.isTensor()) fail("a " + result.tagKind());
  const at::Tensor& tensor = result.toTensor();
  if (!tensor.defined() || tensor.layout() != at::kStrided || tensor.scalar_type() != at::kFloat) {
    fail("a tensor of type " + std::string(c10::toString(tensor.scalar_type())));
  }
  if (tensor.dim() != 2 || tensor.size(0) != batch ||
      tensor.size(1) != static_cast<std::int64_t>(kNumClasses)) {
    fail("shape " + Shape(tensor));
  }
  // A view of a negated tensor has the other signs in memory until it is resolved.
  const at::Tensor logits = tensor.to(at::kCPU).resolve_neg().contiguous();
  std::memcpy(output.data(), logits.const_data_ptr<float>(), output.size_bytes());
  if (!std::ranges::all_of(output, [](float x) { return std::isfinite(x); })) {
    fail("NaN or infinite values");
  }
}

}  // namespace

void ConvertPixels(std::span<const std::uint8_t> bytes, float* pixels) {
  std::ranges::transform(bytes, pixels,
                         [](std::uint8_t x) { return static_cast<float>(x) / 255.0F; });
}

std::string ReadModelFile(const std::string& path, std::size_t max_bytes,
                          const std::string& expected) {
  return ReadFile<ModelError>(path, max_bytes, expected, "name another file or export it again");
}

struct Model::Impl {
  std::string name;
  torch::jit::Module module;
  c10::Device device;
  TrainingFault training_fault;
};

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

const TrainingFault& Model::training_fault() const { return impl_->training_fault; }

Model Model::Load(std::string_view bytes, const std::string& name, Device device) {
  return Guarded(name, "a TorchScript model that LibTorch can load", [&] {
    const c10::Device target(device == Device::kCuda ? c10::kCUDA : c10::kCPU);
    CheckArchive(bytes, name);
    torch::jit::Module module =
        torch::jit::load(ReadFromMemory(bytes), target, /*load_debug_files=*/false);
    if (!module.find_method("forward")) throw ModelError(name, "a method `forward`", "none");
    TrainingFault fault = FindTrainingFault(module);
    module.eval();
    return Model(std::make_unique<Impl>(Impl{name, std::move(module), target, std::move(fault)}));
  });
}

std::vector<float> Model::Logits(std::span<const std::uint8_t> images,
                                 std::size_t batch_size) const {
  return Guarded(impl_->name, "to run on images of shape (N, 1, 28, 28)", [&] {
    const c10::InferenceMode no_gradients;
    // Without this the first runs are spent on profiling and fusing, which takes longer than all
    // of the evaluation and may reorder the arithmetic.
    const torch::jit::GraphOptimizerEnabledGuard as_written(false);
    const std::size_t count = images.size() / kImageSize;
    constexpr auto kSide = static_cast<std::int64_t>(kImageSide);
    // One buffer for all batches, which stays in the processor's cache. Each batch is made from the
    // bytes anew: a model that writes to its input spoils no images for itself or for others. It is
    // torch's own, aligned as torch aligns, for matrix products may round differently otherwise.
    const at::Tensor buffer =
        at::empty({static_cast<std::int64_t>(std::min(batch_size, count)), 1, kSide, kSide},
                  at::TensorOptions().dtype(at::kFloat));
    std::vector<float> logits(count * kNumClasses);
    for (std::size_t start = 0; start < count; start += batch_size) {
      const std::size_t size = std::min(batch_size, count - start);
      const auto batch = static_cast<std::int64_t>(size);
      ConvertPixels(images.subspan(start * kImageSize, size * kImageSize),
                    buffer.mutable_data_ptr<float>());
      const at::Tensor input = buffer.narrow(0, 0, batch).to(impl_->device);
      TakeLogits(impl_->module.forward({input}), batch, impl_->name,
                 std::span(logits).subspan(start * kNumClasses, size * kNumClasses));
    }
    return logits;
  });
}

std::vector<float> TimeLogits(const Model& model, std::span<const std::uint8_t> images,
                              std::size_t batch_size, double* seconds) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<float> logits = model.Logits(images, batch_size);
  *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return logits;
}

EvaluationRecord Score(std::vector<float> logits, std::span<const std::uint8_t> labels,
                       double seconds) {
  EvaluationRecord record;
  record.logits = std::move(logits);
  record.seconds = seconds;
  record.predictions.reserve(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = std::span<const float>(record.logits).subspan(i * kNumClasses, kNumClasses);
    const auto best = std::ranges::max_element(row) - row.begin();
    record.predictions.push_back(static_cast<char>('0' + best));
    record.correct += static_cast<std::size_t>(best == labels[i]);
  }
  return record;
}

}  // namespace bnbench
