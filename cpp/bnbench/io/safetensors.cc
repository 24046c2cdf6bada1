#include "bnbench/io/safetensors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace bnbench {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthSize = 8;
constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // as the format's own readers have it
constexpr std::size_t kMaxDimensions = 32;

struct SafeType {
  std::string_view name;
  DType dtype;
};

constexpr std::array<SafeType, 10> kSafeTypes = {{
    {"BOOL", DType::kBool},
    {"U8", DType::kUint8},
    {"I8", DType::kInt8},
    {"I16", DType::kInt16},
    {"I32", DType::kInt32},
    {"I64", DType::kInt64},
    {"F16", DType::kFloat16},
    {"BF16", DType::kBfloat16},
    {"F32", DType::kFloat32},
    {"F64", DType::kFloat64},
}};

[[noreturn]] void Fail(const std::string& name, const std::string& expected,
                       const std::string& got) {
  throw DataError(name, expected, got, "write it with safetensors");
}

std::optional<std::size_t> AsCount(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<std::size_t>();
}

std::vector<std::size_t> TakeCounts(const Json& tensor, const char* key, std::size_t max,
                                    const std::string& name) {
  const auto found = tensor.find(key);
  std::vector<std::size_t> counts;
  if (found == tensor.end() || !found->is_array() || found->size() > max) {
    Fail(name, std::string("a list `") + key + "` for each tensor", "none");
  }
  for (const Json& item : *found) {
    const std::optional<std::size_t> count = AsCount(item);
    if (!count) Fail(name, std::string("whole numbers in `") + key + "`", "others");
    counts.push_back(*count);
  }
  return counts;
}

DType TakeType(const Json& tensor, const std::string& name) {
  const auto found = tensor.find("dtype");
  if (found == tensor.end() || !found->is_string()) Fail(name, "a `dtype` for each tensor", "none");
  const auto& text = found->get_ref<const std::string&>();
  const auto* entry = std::ranges::find(kSafeTypes, std::string_view(text), &SafeType::name);
  if (entry == kSafeTypes.end()) {
    Fail(name, "a type such as U8, I64 or F32", "'" + text.substr(0, 20) + "'");
  }
  return entry->dtype;
}

}  // namespace

std::map<std::string, Array> ParseSafetensors(std::string_view file,
                                              const std::shared_ptr<const void>& storage,
                                              const std::string& name) {
  std::size_t length = 0;
  if (file.size() < kLengthSize) Fail(name, "a safetensors file", "fewer than 8 bytes");
  for (std::size_t i = kLengthSize; i-- > 0;) {
    length = length << 8 | static_cast<unsigned char>(file[i]);
  }
  if (length > kMaxHeaderBytes || length > file.size() - kLengthSize) {
    Fail(name, "a safetensors header within the file",
         "one of " + std::to_string(length) + " bytes");
  }
  const std::string_view values = file.substr(kLengthSize + length);
  const std::string_view text = file.substr(kLengthSize, length);
  // Nested lists and objects of any depth would be parsed; none is needed below the third level.
  const Json header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) Fail(name, "a safetensors header in JSON", "other text");

  struct Place {
    std::size_t start;
    std::size_t end;
  };
  std::vector<Place> places;
  std::map<std::string, Array> arrays;
  for (const auto& [key, tensor] : header.items()) {
    if (key == "__metadata__") continue;
    if (!tensor.is_object()) Fail(name, "an object for each tensor", "another value");
    const DType dtype = TakeType(tensor, name);
    Shape shape = TakeCounts(tensor, "shape", kMaxDimensions, name);
    const std::vector<std::size_t> offsets = TakeCounts(tensor, "data_offsets", 2, name);
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > values.size()) {
      Fail(name, "values of each tensor within the file", "others");
    }
    const std::size_t size = offsets[1] - offsets[0];
    places.push_back({offsets[0], offsets[1]});
    if (CountBytes(shape, SizeOf(dtype), values.size(), name) != size) {
      Fail(name, "as many values as the shape " + FormatShape(shape) + " says",
           std::to_string(size) + " bytes");
    }
    arrays[key] = {dtype, std::move(shape),
                   std::as_bytes(std::span(values.data() + offsets[0], size)), storage, ""};
  }
  std::ranges::sort(places, {}, &Place::start);
  std::size_t end = 0;
  for (const Place& place : places) {
    if (place.start != end) Fail(name, "values without gaps or overlaps", "others");
    end = place.end;
  }
  if (end != values.size()) Fail(name, "values without gaps or overlaps", "more bytes at the end");
  return arrays;
}

}  // namespace bnbench
