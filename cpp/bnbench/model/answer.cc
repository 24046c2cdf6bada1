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
  bytes.reserve(MaxAnswerBytes(answer.scores.values.size()));
  Append(static_cast<std::uint8_t>(answer.error.has_value()), &bytes);
  if (answer.error) {
    Append(static_cast<std::uint8_t>(answer.error->code()), &bytes);
    AppendText(answer.error->key(), &bytes);
    AppendText(answer.error->what(), &bytes);
    return bytes;
  }
  Append(static_cast<std::uint8_t>(answer.training_fault.is_fixed), &bytes);
  AppendText(answer.training_fault.text, &bytes);
  Append(static_cast<std::uint8_t>(answer.neighbor_fault.kind), &bytes);
  AppendText(answer.neighbor_fault.text, &bytes);
  const BenchmarkRecord benchmark = answer.benchmark.value_or(BenchmarkRecord{});
  Append(static_cast<std::uint64_t>(benchmark.repeats), &bytes);
  for (const double x : {benchmark.median, benchmark.low, benchmark.high}) Append(x, &bytes);
  Append(static_cast<std::uint8_t>(benchmark.is_narrow), &bytes);
  Append(answer.epsilon, &bytes);
  Append(answer.seconds, &bytes);
  Append(static_cast<std::uint8_t>(answer.scores.kind), &bytes);
  Append(static_cast<std::uint64_t>(answer.scores.width), &bytes);
  bytes.append(reinterpret_cast<const char*>(answer.scores.values.data()),
               answer.scores.values.size() * sizeof(float));
  return bytes;
}

ModelAnswer DecodeAnswer(std::string_view bytes, std::size_t num_inputs, const std::string& name) {
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
  const auto require = [&](bool holds) {
    if (!holds) reader.Fail();
  };
  const auto take_number = [&] {
    const auto number = reader.Take<double>();
    require(std::isfinite(number) && number >= 0);
    return number;
  };
  const auto fault_kind = reader.Take<std::uint8_t>();
  require(fault_kind <= static_cast<std::uint8_t>(NeighborFault::Kind::kNotDeterministic));
  answer.neighbor_fault.kind = static_cast<NeighborFault::Kind>(fault_kind);
  answer.neighbor_fault.text = reader.TakeText();
  BenchmarkRecord benchmark;
  benchmark.repeats = static_cast<std::size_t>(reader.Take<std::uint64_t>());
  for (double* number : {&benchmark.median, &benchmark.low, &benchmark.high}) {
    *number = take_number();
  }
  benchmark.is_narrow = reader.Take<std::uint8_t>() != 0;
  if (benchmark.repeats > 0) answer.benchmark = benchmark;
  answer.epsilon = take_number();
  answer.seconds = take_number();
  const auto kind = reader.Take<std::uint8_t>();
  require(kind <= static_cast<std::uint8_t>(OutputKind::kLabels));
  answer.scores.kind = static_cast<OutputKind>(kind);
  answer.scores.width = static_cast<std::size_t>(reader.Take<std::uint64_t>());
  const std::size_t width = answer.scores.width;
  require(width > 0 && width <= bytes.size() && num_inputs <= bytes.size());
  require(answer.scores.kind != OutputKind::kLabels || width == 1);
  std::vector<float>& values = answer.scores.values;
  const std::string_view taken = reader.TakeBytes(num_inputs * width * sizeof(float));
  values.resize(num_inputs * width);
  std::memcpy(values.data(), taken.data(), taken.size());
  require(reader.IsAtEnd());
  require(std::ranges::all_of(values, [](float x) { return std::isfinite(x); }));
  if (answer.scores.kind == OutputKind::kLabels) {
    require(std::ranges::all_of(values, [](float x) { return x >= 0 && x <= kMaxLabel; }));
  }
  return answer;
}

std::size_t MaxAnswerBytes(std::size_t num_scores) {
  return 256 + 2 * kMaxTextBytes + num_scores * sizeof(float);
}

}  // namespace bnbench
