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

std::optional<double> Rate(const ModelRecord& model, std::optional<double> seconds) {
  if (!seconds || !model.total || *seconds <= 0) return std::nullopt;
  return static_cast<double>(*model.total) / *seconds;
}

std::optional<double> Top5Accuracy(const ModelRecord& model) {
  if (!model.correct_top5 || !model.total) return std::nullopt;
  return static_cast<double>(*model.correct_top5) / static_cast<double>(*model.total);
}

std::string FormatScore(const ModelRecord& model) {
  if (!model.correct) return Format("none, without targets (%zu inputs)", model.total.value_or(0));
  std::string text = Format("%.4f (%zu of %zu correct)", Accuracy(model).value_or(0),
                            *model.correct, model.total.value_or(0));
  if (model.correct_top5) text += Format(", top-5 %.4f", Top5Accuracy(model).value_or(0));
  return text;
}

std::string FormatBenchmark(const ModelRecord& model) {
  const BenchmarkRecord& found = *model.benchmark;
  std::string text = Format("median %.4g s [%.4g, %.4g] of %zu runs, ", found.median, found.low,
                            found.high, found.repeats);
  text += Format("%.0f inputs/s", Rate(model, found.median).value_or(0));
  return text + (found.is_narrow ? " (95 % interval within 2 % of the median)"
                                 : " (95 % interval, still wide when the time was up)");
}

std::string Agreement(const ModelRecord& model) {
  if (model.status == Status::kUnchecked) return "not checked (--no-manifest)";
  if (model.status == Status::kDisagreed) return "DISAGREES: " + Escape(model.reason);
  std::string text = "agrees: same file";
  if (model.correct) text += ", same correct count";
  text += ", same predictions";
  if (model.explained.value_or(0) > 0) {
    text += Format(" but %zu, which rounding in 16 bits explains", *model.explained);
  }
  if (model.max_abs_logit_diff) {
    text += Format("; %zu probes' scores differ by at most %.3g (allowed %.3g)",
                   model.num_probes.value_or(0), *model.max_abs_logit_diff,
                   model.allowed_logit_diff.value_or(0));
  }
  return text;
}

Json BenchmarkOrNull(const ModelRecord& model) {
  if (!model.benchmark) return nullptr;
  const BenchmarkRecord& found = *model.benchmark;
  return {{"repeats", found.repeats},     {"median_seconds", found.median},
          {"low_seconds", found.low},     {"high_seconds", found.high},
          {"is_narrow", found.is_narrow}, {"inputs_per_second", OrNull(Rate(model, found.median))}};
}

}  // namespace

std::string FormatText(const SessionRecord& session) {
  std::string text;
  for (const ModelRecord& model : session.models) {
    if (model.status == Status::kUnusable) continue;
    text += Escape(model.path) + "\n";
    text += "  accuracy  " + FormatScore(model) + "\n";
    const std::string threads = session.threads_per_model == 1
                                    ? "one thread"
                                    : std::to_string(session.threads_per_model) + " threads";
    text += Format("  time      %.4f s, %.0f inputs/s (%s, %s, batch size %zu)\n",
                   model.seconds.value_or(0), Rate(model, model.seconds).value_or(0),
                   Name(session.device), threads.c_str(), session.batch_size);
    if (model.benchmark) text += "  speed     " + FormatBenchmark(model) + "\n";
    text +=
        (session.runtime == "libtorch" ? "  torch     " : "  runtime   " + session.runtime + " ");
    text += session.runtime_version;
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

std::string FormatErrors(const SessionRecord& session, const std::string& program) {
  std::string text;
  const auto add = [&](const char* kind, const std::string& line) {
    text += program + ": " + kind + ": " + Escape(line) + "\n";
  };
  if (!session.error.empty()) add("error", session.error);
  for (const ModelRecord& model : session.models) {
    if (!model.hint.empty()) add("warning", model.path + ": " + model.hint);
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
    models.push_back(
        {{"model", model.path},
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
         {"images_per_second", OrNull(Rate(model, model.seconds))},
         {"correct_top5", OrNull(model.correct_top5)},
         {"accuracy_top5", OrNull(Top5Accuracy(model))},
         {"output", model.output_kind ? Json(Name(*model.output_kind)) : Json(nullptr)},
         {"num_classes", OrNull(model.num_classes)},
         {"explained", OrNull(model.explained)},
         {"depends_on_batch", OrNull(model.depends_on_batch)},
         {"deterministic", OrNull(model.is_deterministic)},
         {"hint", TextOrNull(model.hint)},
         {"benchmark", BenchmarkOrNull(model)},
         {"exit_code", static_cast<int>(model.exit_code)}});
  }
  const Json document = {
      {"format_version", 1},
      {"runtime", TextOrNull(session.runtime)},
      {"runtime_version", TextOrNull(session.runtime_version)},
      {"torch_version",
       session.runtime == "libtorch" ? TextOrNull(session.runtime_version) : Json(nullptr)},
      {"device", Name(session.device)},
      {"threads", OrNull(session.threads)},
      {"threads_per_model", session.threads_per_model},
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
