#include "bnbench/portable/runtime.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/portable/network.h"

namespace bnbench {
namespace {

int num_threads = 1;  // of each model

pt2::ValueType AsValueType(DType dtype, const std::string& name) {
  switch (dtype) {
    case DType::kBool:
      return pt2::ValueType::kBool;
    case DType::kUint8:
      return pt2::ValueType::kUint8;
    case DType::kInt64:
      return pt2::ValueType::kInt64;
    case DType::kBfloat16:
      return pt2::ValueType::kBfloat16;
    case DType::kFloat32:
      return pt2::ValueType::kFloat32;
    default:
      throw ModelError(name, "inputs in bool, uint8, int64, bfloat16 or float32",
                       std::string(Name(dtype)), "cast them with --preprocess");
  }
}

// `count` numbers of a type, widened to binary32.
void Widen(const std::byte* values, DType dtype, std::span<float> floats) {
  const auto each = [&]<class T>(T, const auto& convert) {
    for (std::size_t i = 0; i < floats.size(); ++i) {
      T value;
      std::memcpy(&value, values + i * sizeof(T), sizeof(T));
      floats[i] = convert(value);
    }
  };
  switch (dtype) {
    case DType::kInt64:
      return each(std::int64_t(), [](std::int64_t x) { return static_cast<float>(x); });
    case DType::kBfloat16:
      return each(std::uint16_t(), Bfloat16ToFloat);
    case DType::kFloat32:
      return each(float(), [](float x) { return x; });
    default:
      return each(std::uint8_t(), [](std::uint8_t x) { return static_cast<float>(x); });
  }
}

class PortableClassifier : public Classifier {
 public:
  PortableClassifier(std::string name, pt2::Network network, DType dtype, const OutputSpec& output)
      : name_(std::move(name)), network_(std::move(network)), dtype_(dtype), spec_(output) {
    output_ = Choose(output.element);
    const pt2::ValueDescription& found = network_.outputs()[output_];
    const bool has_labels = found.type == pt2::ValueType::kInt64;
    kind_ = output.kind.value_or(has_labels ? OutputKind::kLabels : OutputKind::kLogits);
    if (has_labels != (kind_ == OutputKind::kLabels)) {
      Fail(std::string(Name(kind_)), has_labels ? "whole numbers" : "scores");
    }
    width_ = has_labels ? 1 : found.size();
    const bool fits = has_labels ? found.size() == 1 && found.shape.size() <= 1
                                 : found.shape.size() == 1 && width_ > 0 &&
                                       (output.num_classes == 0 || output.num_classes == width_);
    if (!fits) {
      Fail(has_labels ? "one label for each input"
                      : std::string(Name(kind_)) + " of shape (N, " +
                            (output.num_classes > 0 ? std::to_string(output.num_classes)
                                                    : std::string("classes")) +
                            ")",
           std::string("shape (N") + (found.shape.empty() ? "" : ", ") +
               pt2::NameShape(found.shape).substr(1));
    }
    if (network_.rounds_to_bfloat16()) epsilon_ = Epsilon(DType::kBfloat16);
  }

  std::byte* Prepare(std::size_t size) override {
    batch_.resize(std::max(batch_.size(), size * network_.input().size() * SizeOf(dtype_)));
    return batch_.data();
  }

  void Run(std::size_t size, std::vector<float>* scores) override {
    std::vector<float> inputs(size * network_.input().size());
    Widen(batch_.data(), dtype_, inputs);
    const std::vector<float> found = network_.Run(inputs, size, output_, num_threads);
    if (!std::ranges::all_of(found, [](float x) { return std::isfinite(x); })) {
      Fail("finite " + std::string(Name(kind_)), "NaN or infinite values");
    }
    if (kind_ == OutputKind::kLabels) CheckLabels(found);
    scores->insert(scores->end(), found.begin(), found.end());
  }

 private:
  [[noreturn]] void Fail(const std::string& expected, const std::string& got,
                         const std::string& advice = "") const {
    throw ModelError(name_, expected, got, advice);
  }

  std::size_t Choose(const Element& element) const {
    const std::size_t count = network_.outputs().size();
    if (const auto* index = std::get_if<std::size_t>(&element)) {
      if (*index >= count) {
        Fail("an output number " + std::to_string(*index), std::to_string(count) + " outputs");
      }
      return *index;
    }
    if (const auto* key = std::get_if<std::string>(&element)) {
      const std::vector<std::string>& keys = network_.output_keys();
      const auto found = std::ranges::find(keys, *key);
      if (found == keys.end()) Fail("an output `" + *key + "`", "none of that name");
      return static_cast<std::size_t>(found - keys.begin());
    }
    if (count != 1) Fail("one output", std::to_string(count), "name one with --element");
    return 0;
  }

  void CheckLabels(std::span<const float> labels) const {
    const float end = spec_.num_classes > 0 ? static_cast<float>(spec_.num_classes) : kMaxLabel;
    for (const float label : labels) {
      if (label >= 0 && label < end) continue;
      Fail("labels from 0 to " + std::to_string(static_cast<std::int64_t>(end) - 1),
           std::to_string(static_cast<std::int64_t>(label)));
    }
  }

  std::string name_;
  pt2::Network network_;
  DType dtype_;
  OutputSpec spec_;
  std::size_t output_ = 0;
  std::vector<std::byte> batch_;
};

}  // namespace

std::string PortableRuntime::version() const { return BNBENCH_VERSION; }

void PortableRuntime::Open(Device device) const {
  if (device == Device::kCpu) return;
  throw UsageError("--device", "cpu", "cuda", "use bnbench-eval for a GPU");
}

void PortableRuntime::SetNumThreads(int threads) const { num_threads = threads; }

std::unique_ptr<Classifier> PortableRuntime::Load(std::string_view bytes, const std::string& name,
                                                  DType dtype, const Shape& shape,
                                                  const OutputSpec& output,
                                                  Device /*device*/) const {
  pt2::Network network = pt2::Network::Load(bytes, name);
  const pt2::ValueType type = AsValueType(dtype, name);
  if (network.input().type != type || network.input().shape != shape) {
    throw ModelError(
        name, "a model for inputs in " + pt2::NameOf(type) + " of shape " + pt2::NameShape(shape),
        "one for " + pt2::NameOf(network.input().type) + " of shape " +
            pt2::NameShape(network.input().shape),
        "say with --preprocess what is done to the inputs");
  }
  return std::make_unique<PortableClassifier>(name, std::move(network), dtype, output);
}

}  // namespace bnbench
