#include "bnbench/portable/stored_tensor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "bnbench/checked.h"
#include "bnbench/portable/printable.h"

namespace bnbench::pt2 {
namespace {

std::size_t ReadStoredSize(const Field& field) {
  const Size size = ReadSize(field);
  if (!size.symbol.empty()) field.Fail("a number", "an expression");
  return static_cast<std::size_t>(size.value);
}

// Checks that all values lie in the record, and that they are not more than it has.
void CheckBounds(const StoredTensorView& tensor, std::size_t value_bytes, const Field& field) {
  std::size_t end = 1;
  std::size_t count = 1;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (tensor.shape[i] == 0) return;
    end = Add(end, Multiply(tensor.shape[i] - 1, tensor.strides[i]));
    count = Multiply(count, tensor.shape[i]);
  }
  end = Multiply(std::max(Add(end, tensor.offset), count), value_bytes);
  if (end > tensor.bytes.size()) {
    field.Fail("a record of at least " + std::to_string(end) + " bytes, as its tensor has",
               std::to_string(tensor.bytes.size()));
  }
}

std::size_t SizeOf(ValueType type) {
  switch (type) {
    case ValueType::kUint8:
    case ValueType::kBool:
      return 1;
    case ValueType::kBfloat16:
      return 2;
    case ValueType::kFloat32:
      return 4;
    case ValueType::kInt64:
    case ValueType::kFloat64:
      return 8;
  }
  return 8;
}

float ReadValue(std::string_view bytes, std::size_t index, ValueType type) {
  const auto read = [&]<class T>(T) {
    T value;
    std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
    return value;
  };
  switch (type) {
    case ValueType::kFloat32:
      return read(float());
    case ValueType::kBfloat16: {
      const std::uint32_t bits = static_cast<std::uint32_t>(read(std::uint16_t())) << 16;
      float value = 0;
      std::memcpy(&value, &bits, sizeof(value));
      return value;
    }
    case ValueType::kInt64:
      return static_cast<float>(read(std::int64_t()));
    default:
      return static_cast<float>(read(std::uint8_t()));
  }
}

}  // namespace

std::string NameOf(ValueType type) {
  switch (type) {
    case ValueType::kUint8:
      return "uint8";
    case ValueType::kInt64:
      return "int64";
    case ValueType::kFloat32:
      return "float32";
    case ValueType::kFloat64:
      return "float64";
    case ValueType::kBool:
      return "bool";
    case ValueType::kBfloat16:
      return "bfloat16";
  }
  return "type " + std::to_string(static_cast<int>(type));
}

ValueType ReadType(const Field& field) {
  const auto type = static_cast<ValueType>(field.Integer());
  if (NameOf(type).starts_with("type ")) field.Fail("a type that this program knows", NameOf(type));
  return type;
}

// A size in a tensor's description: a number or a symbol.
Size ReadSize(const Field& field) {
  const auto [kind, value] = field.Only();
  if (kind == "as_int") {
    const std::int64_t size = value.Integer();
    if (size < 0) field.Fail("a size of at least 0", std::to_string(size));
    return {"", size};
  }
  if (kind == "as_expr") return {value.Get("expr_str").Text(), 0};
  field.Fail("a size", Printable(kind));
}

StoredTensors ReadStoredTensors(const Records& records, const std::string& folder,
                                const std::string& config) {
  StoredTensors tensors;
  const std::string document = folder + config;
  const nlohmann::json json = Field::Parse(records.Get(document), records.name(), document);
  for (const auto& [name, field] : Field(json, records.name(), document).Get("config").Members()) {
    if (field.Get("use_pickle").Bool()) field.Fail("plain values", "a pickle");
    const Field description = field.Get("tensor_meta");
    StoredTensorView tensor;
    tensor.type = ReadType(description.Get("dtype"));
    if (description.Get("layout").Integer() != kStrided)
      field.Fail("an ordinary layout", "another");
    for (const Field& size : description.Get("sizes").Items()) {
      tensor.shape.push_back(ReadStoredSize(size));
    }
    for (const Field& stride : description.Get("strides").Items()) {
      tensor.strides.push_back(ReadStoredSize(stride));
    }
    if (tensor.shape.size() != tensor.strides.size() || tensor.shape.size() > kMaxRank) {
      field.Fail("as many strides as sizes, at most 8", "others");
    }
    tensor.offset = ReadStoredSize(description.Get("storage_offset"));
    tensor.bytes = records.Get(folder + field.Get("path_name").Text());
    CheckBounds(tensor, SizeOf(tensor.type), field);
    tensors.emplace(name, std::move(tensor));
  }
  return tensors;
}

Buffer LoadValues(const StoredTensorView& tensor) {
  Buffer values = MakeBuffer(CountElements(tensor.shape));
  float* next = values.get();
  ForEachOffset(tensor.shape, tensor.strides, [&](std::size_t offset) {
    *next++ = ReadValue(tensor.bytes, tensor.offset + offset, tensor.type);
  });
  return values;
}

}  // namespace bnbench::pt2
