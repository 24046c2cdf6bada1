#include "bnbench/model/preprocessing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

constexpr char kSyntax[] =
    "divide=255, scale=0.5, normalize=MEAN/STD (one number, or one per channel with ':' between), "
    "reshape=1x28x28 or cast=float16";

struct KindName {
  StepKind kind;
  std::string_view name;
};

constexpr std::array<KindName, 5> kKindNames = {{
    {StepKind::kDivide, "divide"},
    {StepKind::kScale, "scale"},
    {StepKind::kNormalize, "normalize"},
    {StepKind::kReshape, "reshape"},
    {StepKind::kCast, "cast"},
}};

std::string_view Name(StepKind kind) { return kKindNames[static_cast<std::size_t>(kind)].name; }

// The parts of `text` between separators.
std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view Trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

template <class T>
bool ParseNumber(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

template <class T>
bool ParseNumbers(std::string_view text, char separator, std::vector<T>* values) {
  for (const std::string_view part : Split(text, separator)) {
    T value{};
    if (!ParseNumber(part, &value)) return false;
    values->push_back(value);
  }
  return true;
}

bool ParseValue(std::string_view text, Step* step) {
  switch (step->kind) {
    case StepKind::kDivide:
    case StepKind::kScale:
      step->values.resize(1);
      return ParseNumber(text, step->values.data());
    case StepKind::kNormalize: {
      const std::vector<std::string_view> parts = Split(text, '/');
      return parts.size() == 2 && ParseNumbers(parts[0], ':', &step->values) &&
             ParseNumbers(parts[1], ':', &step->deviations);
    }
    case StepKind::kReshape:
      return ParseNumbers(text, 'x', &step->shape);
    case StepKind::kCast: {
      const std::optional<DType> dtype = FindDType(text);
      step->dtype = dtype.value_or(DType::kFloat32);
      return dtype.has_value();
    }
  }
  return false;
}

std::string FormatNumbers(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) {
    std::array<char, 32> digits{};
    const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    text += (text.empty() ? "" : ":") + std::string(digits.data(), result.ptr);
  }
  return text;
}

std::string FormatStep(const Step& step) {
  std::string text(Name(step.kind));
  text += '=';
  switch (step.kind) {
    case StepKind::kDivide:
    case StepKind::kScale:
      return text + FormatNumbers(step.values);
    case StepKind::kNormalize:
      return text + FormatNumbers(step.values) + "/" + FormatNumbers(step.deviations);
    case StepKind::kReshape:
      for (std::size_t i = 0; i < step.shape.size(); ++i) {
        text += (i > 0 ? "x" : "") + std::to_string(step.shape[i]);
      }
      return text;
    case StepKind::kCast:
      return text + std::string(Name(step.dtype));
  }
  return text;
}

bool IsArithmetic(StepKind kind) {
  return kind == StepKind::kDivide || kind == StepKind::kScale || kind == StepKind::kNormalize;
}

// Whether every value of the type is one of binary32.
bool FitsFloat(DType dtype) {
  return dtype != DType::kFloat64 && dtype != DType::kInt32 && dtype != DType::kInt64;
}

std::size_t CountValues(const Shape& shape) {
  std::size_t count = 1;
  for (const std::size_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count)) return 0;
  }
  return count;
}

template <class T, class Work>
void LoadAs(const std::byte* stored, std::span<Work> row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    T value;
    std::memcpy(&value, stored + i * sizeof(T), sizeof(T));
    row[i] = static_cast<Work>(value);
  }
}

template <class Work>
void Load(DType dtype, const std::byte* stored, std::span<Work> row) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUint8:
      return LoadAs<std::uint8_t>(stored, row);
    case DType::kInt8:
      return LoadAs<std::int8_t>(stored, row);
    case DType::kInt16:
      return LoadAs<std::int16_t>(stored, row);
    case DType::kInt32:
      return LoadAs<std::int32_t>(stored, row);
    case DType::kInt64:
      return LoadAs<std::int64_t>(stored, row);
    case DType::kFloat32:
      return LoadAs<float>(stored, row);
    case DType::kFloat64:
      return LoadAs<double>(stored, row);
    case DType::kFloat16:
    case DType::kBfloat16:
      for (std::size_t i = 0; i < row.size(); ++i) {
        std::uint16_t value = 0;
        std::memcpy(&value, stored + 2 * i, 2);
        row[i] = static_cast<Work>(dtype == DType::kFloat16 ? HalfToFloat(value)
                                                            : Bfloat16ToFloat(value));
      }
  }
}

template <class T, class Work>
void StoreAs(std::span<Work> row, std::byte* output) {
  if constexpr (std::is_same_v<T, Work>) {
    std::memcpy(output, row.data(), row.size_bytes());
  } else {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const T value = static_cast<T>(row[i]);
      std::memcpy(output + i * sizeof(T), &value, sizeof(T));
    }
  }
}

template <class Work>
void Store(DType dtype, std::span<Work> row, std::byte* output) {
  switch (dtype) {
    case DType::kFloat32:
      return StoreAs<float>(row, output);
    case DType::kFloat64:
      return StoreAs<double>(row, output);
    case DType::kInt64:
      return StoreAs<std::int64_t>(row, output);
    case DType::kInt32:
      return StoreAs<std::int32_t>(row, output);
    case DType::kFloat16:
    case DType::kBfloat16:
      for (std::size_t i = 0; i < row.size(); ++i) {
        const auto value = static_cast<float>(row[i]);
        const std::uint16_t half =
            dtype == DType::kFloat16 ? FloatToHalf(value) : FloatToBfloat16(value);
        std::memcpy(output + 2 * i, &half, 2);
      }
      return;
    default:
      return;  // no step gives another type
  }
}

// The value as the type holds it.
template <class Work>
Work Round(DType dtype, Work value) {
  const auto narrow = static_cast<float>(value);
  if (dtype == DType::kFloat16) return static_cast<Work>(HalfToFloat(FloatToHalf(narrow)));
  if (dtype == DType::kBfloat16) {
    return static_cast<Work>(Bfloat16ToFloat(FloatToBfloat16(narrow)));
  }
  if (dtype == DType::kFloat32) return static_cast<Work>(narrow);
  return value;
}

// One step of arithmetic, in binary32 or binary64. In double, results of binary32 are rounded
// twice, which gives the same.
template <class Work>
void Compute(const Step& step, DType type, std::span<Work> row) {
  const auto keep = [&](Work value) {
    if constexpr (std::is_same_v<Work, float>) return value;
    return type == DType::kFloat32 ? static_cast<Work>(static_cast<float>(value)) : value;
  };
  const auto constant = [&](double value) { return keep(static_cast<Work>(value)); };
  const auto apply = [&](std::span<Work> part, auto function) {
    for (Work& value : part) value = function(value);
  };
  if (step.kind == StepKind::kNormalize) {
    const std::size_t size = row.size() / step.values.size();
    for (std::size_t i = 0; i < step.values.size(); ++i) {
      const Work mean = constant(step.values[i]);
      const Work deviation = constant(step.deviations[i]);
      apply(row.subspan(i * size, size), [&](Work x) { return keep(keep(x - mean) / deviation); });
    }
    return;
  }
  const Work number = constant(step.values[0]);
  if (step.kind == StepKind::kDivide) {
    apply(row, [&](Work x) { return keep(x / number); });
  } else {
    apply(row, [&](Work x) { return keep(x * number); });
  }
}

}  // namespace

std::vector<Step> ParseSteps(std::string_view text) {
  std::vector<Step> steps;
  for (const std::string_view part : Split(text, ',')) {
    const std::string_view one = Trim(part);
    if (one.empty()) continue;
    const std::size_t equals = std::min(one.find('='), one.size());
    const auto* found = std::ranges::find(kKindNames, one.substr(0, equals), &KindName::name);
    Step step{};
    if (found != kKindNames.end()) step.kind = found->kind;
    if (found == kKindNames.end() || equals == one.size() ||
        !ParseValue(one.substr(equals + 1), &step)) {
      throw UsageError("--preprocess", kSyntax, "'" + std::string(one) + "'");
    }
    CheckStep(step, "--preprocess");
    steps.push_back(std::move(step));
  }
  return steps;
}

std::string FormatSteps(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps) text += (text.empty() ? "" : ",") + FormatStep(step);
  return text;
}

void CheckStep(const Step& step, const std::string& name) {
  const auto require = [&](bool holds, const char* expected) {
    if (!holds) throw UsageError(name, expected, FormatStep(step));
  };
  const auto is_finite = [](double x) { return std::isfinite(static_cast<float>(x)); };
  require(std::ranges::all_of(step.values, is_finite) &&
              std::ranges::all_of(step.deviations, is_finite),
          "finite numbers");
  require(step.kind != StepKind::kDivide || static_cast<float>(step.values.at(0)) != 0,
          "a divisor other than 0");
  require(std::ranges::all_of(step.deviations, [](double x) { return static_cast<float>(x) > 0; }),
          "deviations above 0");
  require(step.kind != StepKind::kNormalize ||
              (!step.values.empty() && step.values.size() == step.deviations.size()),
          "as many means as deviations");
  require(std::ranges::all_of(step.shape, [](std::size_t x) { return x > 0; }),
          "sizes of at least 1");
}

Preprocessor::Preprocessor(InputSpec spec, const std::string& name)
    : spec_(std::move(spec)), dtype_(spec_.dtype), shape_(spec_.shape) {
  const auto require = [&](bool holds, const std::string& expected, const std::string& got) {
    if (!holds) throw ModelError(name, expected, got, "seal the model again");
  };
  num_values_ = CountValues(shape_);
  require(num_values_ > 0, "inputs of a size that a computer can count to",
          "shape " + FormatShape(shape_));
  is_double_ = !FitsFloat(dtype_);
  for (const Step& step : spec_.steps) {
    if (step.kind == StepKind::kReshape) {
      require(CountValues(step.shape) == num_values_,
              "a shape of " + std::to_string(num_values_) + " values per input", FormatStep(step));
      shape_ = step.shape;
    } else if (step.kind == StepKind::kCast) {
      const bool widens = !IsFloat(dtype_) && SizeOf(dtype_) <= SizeOf(step.dtype) &&
                          (step.dtype == DType::kInt32 || step.dtype == DType::kInt64);
      require(step.dtype == dtype_ || IsFloat(step.dtype) || widens,
              "a cast to a floating-point type, or from whole numbers to wider ones",
              FormatStep(step) + " of " + std::string(bnbench::Name(dtype_)));
      is_copy_ = is_copy_ && step.dtype == dtype_;
      dtype_ = step.dtype;
    } else {
      const bool fits = step.kind != StepKind::kNormalize || step.values.size() == 1 ||
                        (!shape_.empty() && shape_[0] == step.values.size());
      require(fits, "as many means as channels, the first dimension of " + FormatShape(shape_),
              FormatStep(step));
      is_copy_ = false;
      if (dtype_ != DType::kFloat64) dtype_ = DType::kFloat32;
    }
    is_double_ = is_double_ || !FitsFloat(dtype_);
  }
  divides_bytes_ = spec_.dtype == DType::kUint8 && !spec_.steps.empty() &&
                   spec_.steps[0].kind == StepKind::kDivide;
}

void Preprocessor::Run(const std::byte* stored, std::size_t count, std::byte* output) const {
  if (is_copy_) {
    std::memcpy(output, stored, count * bytes_per_input());
  } else if (is_double_) {
    RunAs<double>(stored, count, output);
  } else {
    RunAs<float>(stored, count, output);
  }
}

template <class Work>
void Preprocessor::RunAs(const std::byte* stored, std::size_t count, std::byte* output) const {
  // One input at a time stays in the processor's first cache, whatever the number of steps. It is
  // made where it belongs if it has its last type all along.
  const bool is_in_place = SizeOf(dtype_) == sizeof(Work) && IsFloat(dtype_);
  std::vector<Work> memory(is_in_place ? 0 : num_values_);
  for (std::size_t i = 0; i < count; ++i) {
    std::byte* target = output + i * bytes_per_input();
    const std::span<Work> row(is_in_place ? reinterpret_cast<Work*>(target) : memory.data(),
                              num_values_);
    const std::byte* source = stored + i * num_values_ * SizeOf(spec_.dtype);
    DType type = spec_.dtype;
    std::span<const Step> steps = spec_.steps;
    if (divides_bytes_) {
      const auto divisor = static_cast<float>(steps[0].values[0]);
      std::transform(source, source + num_values_, row.begin(), [divisor](std::byte x) {
        return static_cast<Work>(static_cast<float>(x) / divisor);
      });
      type = DType::kFloat32;
      steps = steps.subspan(1);
    } else {
      Load<Work>(spec_.dtype, source, row);
    }
    for (const Step& step : steps) {
      if (IsArithmetic(step.kind)) {
        // Whole numbers and those of 16 bits are widened, which rounds int32 and int64.
        if (type != DType::kFloat64 && type != DType::kFloat32) {
          type = DType::kFloat32;
          if constexpr (std::is_same_v<Work, double>) {
            for (Work& value : row) value = Round(type, value);
          }
        }
        Compute<Work>(step, type, row);
      } else if (step.kind == StepKind::kCast && step.dtype != type) {
        type = step.dtype;
        for (Work& value : row) value = Round(type, value);
      }
    }
    if (!is_in_place) Store<Work>(dtype_, row, target);
  }
}

}  // namespace bnbench
