// What every classifier is to a session, whatever runs it: inputs in, scores out.
#ifndef BNBENCH_MODEL_CLASSIFIER_H_
#define BNBENCH_MODEL_CLASSIFIER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bnbench/io/array.h"

namespace bnbench {

enum class OutputKind { kLogits, kProbabilities, kLogProbabilities, kLabels };

// "logits", "probabilities", "log-probabilities" or "labels".
std::string_view Name(OutputKind kind);
std::optional<OutputKind> FindOutputKind(std::string_view name);

// Labels are kept in binary32, which has all whole numbers up to this.
inline constexpr float kMaxLabel = 16'777'216;

// Which of a model's outputs is the one: the only one, a position, or a key.
using Element = std::variant<std::monostate, std::size_t, std::string>;

// What a model returns for N inputs: scores of shape (N, num_classes), or N labels.
struct OutputSpec {
  std::optional<OutputKind> kind;  // none: labels if it returns whole numbers, else logits
  std::size_t num_classes = 0;     // 0: as many as it returns
  Element element;
};

// What is wrong with the mode a model was exported in.
struct TrainingFault {
  std::string text;       // of the error; empty if there is no fault
  bool is_fixed = false;  // whether it stays in evaluation mode, so that no result can be trusted
};

enum class Device { kCpu, kCuda };

// A loaded model, in evaluation mode.
class Classifier {
 public:
  virtual ~Classifier() = default;

  // Memory for a batch of `size` inputs as the model takes them, aligned as its runtime likes it.
  // The last one is valid.
  virtual std::byte* Prepare(std::size_t size) = 0;

  // Runs the batch that lies in that memory, which the model may change, and appends its scores,
  // rounded to binary32. Throws ModelError unless the output is what OutputSpec says, and finite.
  virtual void Run(std::size_t size, std::vector<float>* scores) = 0;

  // Numbers per input that Run appends: classes, or 1 for labels. Known after the first batch.
  std::size_t width() const { return width_; }
  OutputKind kind() const { return kind_; }
  const TrainingFault& training_fault() const { return training_fault_; }
  // Of the coarsest floating-point type among weights, inputs and outputs.
  double epsilon() const { return epsilon_; }

 protected:
  std::size_t width_ = 0;
  OutputKind kind_ = OutputKind::kLogits;
  TrainingFault training_fault_;
  double epsilon_ = Epsilon(DType::kFloat32);
};

// What loads classifiers, of one format or several.
class Runtime {
 public:
  virtual ~Runtime() = default;

  // As the program's JSON names it, such as "libtorch", and its version.
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  // Whether it reads models of this format, as a manifest names it.
  virtual bool Reads(std::string_view format) const = 0;

  // Throws UsageError if the device can't be used. Called in a child.
  virtual void Open(Device device) const = 0;
  // Threads for each model. Called once, before any child is started.
  virtual void SetNumThreads(int threads) const = 0;
  // Loads the model in `bytes`, which may be code, for inputs of this type and shape. `bytes` must
  // stay. Throws ModelError, which calls the model `name`.
  virtual std::unique_ptr<Classifier> Load(std::string_view bytes, const std::string& name,
                                           DType dtype, const Shape& shape,
                                           const OutputSpec& output, Device device) const = 0;
};

}  // namespace bnbench

#endif  // BNBENCH_MODEL_CLASSIFIER_H_
