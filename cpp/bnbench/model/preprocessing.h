// Turns stored inputs into what a model takes, by a short list of steps.
#ifndef BNBENCH_MODEL_PREPROCESSING_H_
#define BNBENCH_MODEL_PREPROCESSING_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/io/array.h"

namespace bnbench {

enum class StepKind { kDivide, kScale, kNormalize, kReshape, kCast };

struct Step {
  StepKind kind;
  std::vector<double> values;      // the divisor, the factor, or the means
  std::vector<double> deviations;  // of kNormalize: as many as means
  Shape shape;                     // of kReshape: per input
  DType dtype = DType::kFloat32;   // of kCast
};

// How a model's inputs are stored, one of them, and what is done to it.
struct InputSpec {
  Shape shape;
  DType dtype = DType::kUint8;
  std::vector<Step> steps;
};

// Steps as they are typed: "divide=255,normalize=0.5/0.5,reshape=1x28x28". Throws UsageError.
std::vector<Step> ParseSteps(std::string_view text);
// The text that ParseSteps reads as these steps, to the last bit.
std::string FormatSteps(const std::vector<Step>& steps);
// Throws UsageError, which calls the step `name`, unless its values can be used.
void CheckStep(const Step& step, const std::string& name);

// The steps for one model. Arithmetic is in binary32, or in binary64 if the inputs are binary64.
class Preprocessor {
 public:
  // Throws ModelError, which calls the model `name`, if the steps do not fit such inputs.
  Preprocessor(InputSpec spec, const std::string& name);

  // Type and shape of one input as the model takes it.
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::size_t bytes_per_input() const { return num_values_ * SizeOf(dtype_); }

  // Writes `count` inputs from `stored`, which holds as many as they were stored, to `output`,
  // which is aligned for their type.
  void Run(const std::byte* stored, std::size_t count, std::byte* output) const;

 private:
  template <class Work>
  void RunAs(const std::byte* stored, std::size_t count, std::byte* output) const;

  InputSpec spec_;
  DType dtype_;
  Shape shape_;
  std::size_t num_values_ = 1;
  bool divides_bytes_ = false;  // the usual first step, which is done while loading
  bool is_copy_ = true;         // no step changes a value
  bool is_double_ = false;      // binary32 can't hold what the steps are given or give
};

}  // namespace bnbench

#endif  // BNBENCH_MODEL_PREPROCESSING_H_
