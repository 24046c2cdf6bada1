#include "bnbench/model/outputs.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "bnbench/io/test_set.h"

namespace bnbench {
namespace {

constexpr std::uint8_t kNoPrediction = 255;

}  // namespace

Outputs::Outputs(const std::string& logits_path, const std::string& predictions_path,
                 std::size_t num_models, std::size_t num_images)
    : num_images_(num_images) {
  std::vector<std::size_t> shape;
  if (num_models != 1) shape.push_back(num_models);
  shape.push_back(num_images);
  if (!predictions_path.empty()) predictions_.emplace(predictions_path, shape);
  shape.push_back(kNumClasses);
  if (!logits_path.empty()) logits_.emplace(logits_path, shape);
}

void Outputs::Write(std::size_t model, const EvaluationRecord& found) {
  if (logits_) logits_->Write(model * num_images_ * kNumClasses, found.logits);
  if (!predictions_) return;
  std::vector<std::uint8_t> classes(found.predictions.size());
  std::ranges::transform(found.predictions, classes.begin(),
                         [](char digit) { return static_cast<std::uint8_t>(digit - '0'); });
  predictions_->Write(model * num_images_, classes);
}

void Outputs::WriteUnusable(std::size_t model) {
  if (logits_) {
    logits_->Write(
        model * num_images_ * kNumClasses,
        std::vector<float>(num_images_ * kNumClasses, std::numeric_limits<float>::quiet_NaN()));
  }
  if (predictions_) {
    predictions_->Write(model * num_images_, std::vector<std::uint8_t>(num_images_, kNoPrediction));
  }
}

void Outputs::Commit() {
  if (logits_) logits_->Commit();
  if (predictions_) predictions_->Commit();
}

}  // namespace bnbench
