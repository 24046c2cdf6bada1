#include "bnbench/model/answer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace bnbench {
namespace {

// Longer texts are cut; they are one line each.
constexpr std::size_t kMaxTextBytes = 1 << 14;

template <class T>
void Append(const T& value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof value);
}

void AppendText(std::string_view text, std::string* bytes) {
  text = text.substr(0, kMaxTextBytes);
  Append(static_cast<std::uint32_t>(text.size()), bytes);
  bytes->append(text);
}

// Takes values from the front of `bytes`.
class Reader {
 public:
  Reader(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  [[noreturn]] void Fail() const {
    throw ModelError(name_, "an answer of the process that ran it", "other bytes",
                     "the model has damaged its process; do not use it");
  }

  std::string_view TakeBytes(std::size_t size) {
    if (bytes_.size() < size) Fail();
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  template <class T>
  T Take() {
    T value{};
    std::memcpy(&value, TakeBytes(sizeof value).data(), sizeof value);
    return value;
  }

  std::string TakeText() { return std::string(TakeBytes(Take<std::uint32_t>())); }

  bool IsAtEnd() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  const std::string& name_;
};

}  // namespace

std::string EncodeAnswer(const ModelAnswer& answer) {
  std::string bytes;
  bytes.reserve(MaxAnswerBytes(answer.logits.size()));
  Append(static_cast<std::uint8_t>(answer.error.has_value()), &bytes);
  if (answer.error) {
    Append(static_cast<std::uint8_t>(answer.error->code()), &bytes);
    AppendText(answer.error->key(), &bytes);
    AppendText(answer.error->what(), &bytes);
    return bytes;
  }
  Append(static_cast<std::uint8_t>(answer.training_fault.is_fixed), &bytes);
  AppendText(answer.training_fault.text, &bytes);
  Append(answer.seconds, &bytes);
  bytes.append(reinterpret_cast<const char*>(answer.logits.data()),
               answer.logits.size() * sizeof(float));
  return bytes;
}

ModelAnswer DecodeAnswer(std::string_view bytes, std::size_t num_logits, const std::string& name) {
  Reader reader(bytes, name);
  ModelAnswer answer;
  if (reader.Take<std::uint8_t>() != 0) {
    const auto code = static_cast<ExitCode>(reader.Take<std::uint8_t>());
    const std::string key = reader.TakeText();
    const std::string text = reader.TakeText();
    if (!reader.IsAtEnd() || code <= ExitCode::kAgreed || code > ExitCode::kDisagreed) {
      reader.Fail();
    }
    answer.error.emplace(code, key, text);
    return answer;
  }
  answer.training_fault.is_fixed = reader.Take<std::uint8_t>() != 0;
  answer.training_fault.text = reader.TakeText();
  answer.seconds = reader.Take<double>();
  const std::string_view values = reader.TakeBytes(num_logits * sizeof(float));
  answer.logits.resize(num_logits);
  std::memcpy(answer.logits.data(), values.data(), values.size());
  if (!reader.IsAtEnd() || !std::isfinite(answer.seconds) || answer.seconds < 0 ||
      !std::ranges::all_of(answer.logits, [](float x) { return std::isfinite(x); })) {
    reader.Fail();
  }
  return answer;
}

std::size_t MaxAnswerBytes(std::size_t num_logits) {
  return 64 + 2 * kMaxTextBytes + num_logits * sizeof(float);
}

}  // namespace bnbench
