#include "bnbench/model/report.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace bnbench {
namespace {

using Json = nlohmann::ordered_json;

const char* Name(Status status) {
  switch (status) {
    case Status::kAgreed:
      return "agreed";
    case Status::kDisagreed:
      return "disagreed";
    case Status::kUnusable:
      return "unusable";
    case Status::kUnchecked:
      return "unchecked";
  }
  return "unusable";
}

const char* Name(Device device) { return device == Device::kCuda ? "cuda" : "cpu"; }

template <typename... Args>
std::string Format(const char* pattern, Args... args) {
  std::array<char, 200> text{};
  std::snprintf(text.data(), text.size(), pattern, args...);
  return text.data();
}

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// Text for a terminal: what could move its cursor or change its colors is written as an escape.
std::string Escape(const std::string& text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    // U+0080 to U+009F are control characters as well.
    const bool is_wide = byte == 0xc2 && next >= 0x80 && next <= 0x9f;
    if (byte >= 0x20 && byte != 0x7f && !is_wide) {
      escaped += text[i];
      continue;
    }
    escaped += Format("\\x%02x", is_wide ? next : byte);
    if (is_wide) ++i;
  }
  return escaped;
}

Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::optional<double> Accuracy(const ModelRecord& model) {
  if (!model.correct || !model.total) return std::nullopt;
  return static_cast<double>(*model.correct) / static_cast<double>(*model.total);
}

std::optional<double> ImagesPerSecond(const ModelRecord& model) {
  if (!model.seconds || !model.total || *model.seconds <= 0) return std::nullopt;
  return static_cast<double>(*model.total) / *model.seconds;
}

std::string Agreement(const ModelRecord& model) {
  if (model.status == Status::kUnchecked) return "not checked (--no-manifest)";
  if (model.status == Status::kDisagreed) return "DISAGREES: " + Escape(model.reason);
  std::string text = "agrees: same file, same correct count, same predictions";
  if (model.max_abs_logit_diff) {
    text += Format("; %zu probes' logits differ by at most %.3g (allowed %.3g)",
                   model.num_probes.value_or(0), *model.max_abs_logit_diff,
                   model.allowed_logit_diff.value_or(0));
  }
  return text;
}

}  // namespace

std::string FormatText(const SessionRecord& session) {
  std::string text;
  for (const ModelRecord& model : session.models) {
    if (model.status == Status::kUnusable) continue;
    text += Escape(model.path) + "\n";
    text += Format("  accuracy  %.4f (%zu of %zu correct)\n", Accuracy(model).value_or(0),
                   model.correct.value_or(0), model.total.value_or(0));
    text += Format("  time      %.4f s, %.0f images/s (%s, one thread, batch size %zu)\n",
                   model.seconds.value_or(0), ImagesPerSecond(model).value_or(0),
                   Name(session.device), session.batch_size);
    text += "  torch     " + session.torch_version;
    if (!model.exporter_torch_version.empty()) {
      text += ", exported by " + model.exporter_torch_version;
    }
    text += "\n";
    if (session.is_fashion_mnist == false) text += "  data      not FashionMNIST\n";
    text += "  manifest  " + Agreement(model) + "\n";
  }
  if (session.models.size() > 1 && !text.empty()) {
    text += Format("%zu models in %.3f s, %d at a time\n", session.models.size(),
                   session.seconds.value_or(0), session.threads.value_or(0));
  }
  return text;
}

std::string FormatErrors(const SessionRecord& session) {
  std::string text;
  const auto add = [&text](const char* kind, const std::string& line) {
    text += std::string("bnbench-eval: ") + kind + ": " + Escape(line) + "\n";
  };
  if (!session.error.empty()) add("error", session.error);
  for (const ModelRecord& model : session.models) {
    if (model.reason.empty()) continue;
    const bool is_named = model.status == Status::kUnusable;
    const std::string line = (is_named ? "" : model.path + ": ") + model.reason;
    if (model.exit_code == ExitCode::kAgreed) {
      add("warning", line + " (evaluated in evaluation mode)");
    } else {
      add("error", line);
    }
  }
  return text;
}

std::string FormatJson(const SessionRecord& session) {
  Json models = Json::array();
  for (const ModelRecord& model : session.models) {
    models.push_back({{"model", model.path},
                      {"status", Name(model.status)},
                      {"reason", TextOrNull(model.reason)},
                      {"exporter_torch_version", TextOrNull(model.exporter_torch_version)},
                      {"training", OrNull(model.training)},
                      {"correct", OrNull(model.correct)},
                      {"total", OrNull(model.total)},
                      {"accuracy", OrNull(Accuracy(model))},
                      {"expected_correct", OrNull(model.expected_correct)},
                      {"disagreements", OrNull(model.disagreements)},
                      {"max_abs_logit_diff", OrNull(model.max_abs_logit_diff)},
                      {"seconds", OrNull(model.seconds)},
                      {"images_per_second", OrNull(ImagesPerSecond(model))},
                      {"exit_code", static_cast<int>(model.exit_code)}});
  }
  const Json document = {{"format_version", 1},
                         {"runtime", "libtorch"},
                         {"torch_version", TextOrNull(session.torch_version)},
                         {"device", Name(session.device)},
                         {"threads", OrNull(session.threads)},
                         {"batch_size", session.batch_size},
                         {"total", OrNull(session.total)},
                         {"fashion_mnist", OrNull(session.is_fashion_mnist)},
                         {"seconds", OrNull(session.seconds)},
                         {"error", TextOrNull(session.error)},
                         {"models", models},
                         {"exit_code", static_cast<int>(session.exit_code)}};
  // File names are bytes: what is no UTF-8 in them becomes U+FFFD instead of an exception.
  return document.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

}  // namespace bnbench
