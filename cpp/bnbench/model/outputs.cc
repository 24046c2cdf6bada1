#include "bnbench/model/outputs.h"

#include <algorithm>
#include <limits>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

constexpr std::size_t kMaxBytePrediction = 254;  // 255 is of a model that is unusable

template <class T>
void WritePredictions(NpyFile<T>* file, std::size_t first,
                      std::span<const std::int64_t> predictions) {
  std::vector<T> classes(predictions.size());
  std::ranges::transform(predictions, classes.begin(),
                         [](std::int64_t x) { return static_cast<T>(x); });
  file->Write(first, classes);
}

}  // namespace

Outputs::Outputs(const std::string& logits_path, const std::string& predictions_path,
                 std::size_t num_models, std::size_t num_inputs)
    : num_inputs_(num_inputs) {
  if (num_models != 1) shape_.push_back(num_models);
  shape_.push_back(num_inputs);
  if (!predictions_path.empty()) predictions_file_.emplace(predictions_path);
  if (!logits_path.empty()) logits_file_.emplace(logits_path);
}

void Outputs::Begin(std::size_t width, bool has_labels) {
  width_ = width;
  if (predictions_file_) {
    if (has_labels || width > kMaxBytePrediction + 1) {
      predictions_.emplace(NpyFile<std::int32_t>(&*predictions_file_, shape_));
    } else {
      predictions_.emplace(NpyFile<std::uint8_t>(&*predictions_file_, shape_));
    }
  }
  if (logits_file_) {
    if (has_labels) {
      throw UsageError("--logits", "models that return scores", "one that returns labels",
                       "use --predictions");
    }
    Shape shape = shape_;
    shape.push_back(width);
    logits_.emplace(&*logits_file_, shape);
  }
  for (const std::size_t model : unusable_) WriteNothing(model);
  unusable_.clear();
}

void Outputs::Write(std::size_t model, const EvaluationRecord& found) {
  const std::size_t width = found.scores.width;
  if (width_ == 0) Begin(width, found.scores.kind == OutputKind::kLabels);
  if (width != width_) {
    throw UsageError("--logits and --predictions",
                     "models of " + std::to_string(width_) + " classes, as the first one",
                     std::to_string(width), "evaluate them in calls of their own");
  }
  if (logits_) logits_->Write(model * num_inputs_ * width_, found.scores.values);
  if (!predictions_) return;
  std::visit([&](auto& file) { WritePredictions(&file, model * num_inputs_, found.predictions); },
             *predictions_);
}

void Outputs::WriteUnusable(std::size_t model) {
  if (width_ == 0) {
    unusable_.push_back(model);
  } else {
    WriteNothing(model);
  }
}

void Outputs::WriteNothing(std::size_t model) {
  if (logits_) {
    logits_->Write(
        model * num_inputs_ * width_,
        std::vector<float>(num_inputs_ * width_, std::numeric_limits<float>::quiet_NaN()));
  }
  if (predictions_) {
    const std::vector<std::int64_t> none(num_inputs_, -1);
    std::visit([&](auto& file) { WritePredictions(&file, model * num_inputs_, none); },
               *predictions_);
  }
}

void Outputs::Commit(std::size_t num_classes) {
  if (width_ == 0) Begin(num_classes, false);
  if (logits_file_) logits_file_->Commit();
  if (predictions_file_) predictions_file_->Commit();
}

}  // namespace bnbench
