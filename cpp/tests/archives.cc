#include "tests/archives.h"

#include <zlib.h>

#include <cstring>

namespace bnbench::testing {
namespace {

using Json = nlohmann::json;

template <class T>
void Append(std::string* bytes, T value) {
  const std::size_t start = bytes->size();
  bytes->resize(start + sizeof(T));
  *bytes = Patch(std::move(*bytes), start, value);
}

Json Sizes(const std::vector<std::int64_t>& shape) {
  Json sizes = Json::array();
  for (const std::int64_t size : shape) sizes.push_back({{"as_int", size}});
  return sizes;
}

Json Batch() { return {{"as_expr", {{"expr_str", "Symbol('s0')"}, {"hint", {{"as_int", 2}}}}}}; }

Json Meta(const Json& sizes, const Json& strides, int dtype) {
  return {{"dtype", dtype},
          {"sizes", sizes},
          {"requires_grad", false},
          {"device", {{"type", "cpu"}, {"index", nullptr}}},
          {"strides", strides},
          {"storage_offset", {{"as_int", 0}}},
          {"layout", 7}};
}

}  // namespace

std::string WriteStoredZip(const Records& records) {
  constexpr std::uint16_t kFlags = 0x0808;
  std::string bytes;
  std::string directory;
  for (const auto& [name, content] : records) {
    const std::size_t start = bytes.size();
    const uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
    const auto size = static_cast<std::uint32_t>(content.size());
    const auto name_size = static_cast<std::uint16_t>(name.size());
    Append<std::uint32_t>(&bytes, 0x04034b50);
    for (const std::uint16_t value : std::initializer_list<std::uint16_t>{0, kFlags, 0, 0, 0})
      Append<std::uint16_t>(&bytes, value);
    for (int i = 0; i < 3; ++i) Append<std::uint32_t>(&bytes, 0);
    Append<std::uint16_t>(&bytes, name_size);
    Append<std::uint16_t>(&bytes, 8);
    bytes += name + std::string("FB\x04\0ZZZZ", 8) + content;
    Append<std::uint32_t>(&bytes, 0x08074b50);
    Append<std::uint32_t>(&bytes, static_cast<std::uint32_t>(crc));
    Append<std::uint32_t>(&bytes, size);
    Append<std::uint32_t>(&bytes, size);

    Append<std::uint32_t>(&directory, 0x02014b50);
    for (const std::uint16_t value : std::initializer_list<std::uint16_t>{0, 0, kFlags, 0, 0, 0})
      Append<std::uint16_t>(&directory, value);
    Append<std::uint32_t>(&directory, static_cast<std::uint32_t>(crc));
    Append<std::uint32_t>(&directory, size);
    Append<std::uint32_t>(&directory, size);
    Append<std::uint16_t>(&directory, name_size);
    for (int i = 0; i < 4; ++i) Append<std::uint16_t>(&directory, 0);
    Append<std::uint32_t>(&directory, 0);
    Append<std::uint32_t>(&directory, static_cast<std::uint32_t>(start));
    directory += name;
  }
  const std::size_t start = bytes.size();
  const std::size_t count = records.size();
  bytes += directory;
  const std::size_t end64 = bytes.size();
  Append<std::uint32_t>(&bytes, 0x06064b50);
  Append<std::uint64_t>(&bytes, 44);
  for (int i = 0; i < 2; ++i) Append<std::uint16_t>(&bytes, 45);
  for (int i = 0; i < 2; ++i) Append<std::uint32_t>(&bytes, 0);
  for (const std::size_t value : {count, count, directory.size(), start}) {
    Append<std::uint64_t>(&bytes, value);
  }
  Append<std::uint32_t>(&bytes, 0x07064b50);
  Append<std::uint32_t>(&bytes, 0);
  Append<std::uint64_t>(&bytes, end64);
  Append<std::uint32_t>(&bytes, 1);
  Append<std::uint32_t>(&bytes, 0x06054b50);
  for (int i = 0; i < 2; ++i) Append<std::uint16_t>(&bytes, 0);
  for (int i = 0; i < 2; ++i) Append<std::uint16_t>(&bytes, static_cast<std::uint16_t>(count));
  Append<std::uint32_t>(&bytes, static_cast<std::uint32_t>(directory.size()));
  Append<std::uint32_t>(&bytes, static_cast<std::uint32_t>(start));
  Append<std::uint16_t>(&bytes, 0);
  return bytes;
}

Pt2::Pt2(const std::vector<std::int64_t>& shape, int dtype) : weights(Json::object()) {
  model = {{"schema_version", {{"major", 8}, {"minor", 20}}},
           {"opset_version", {{"aten", 10}}},
           {"torch_version", "2.14.1"}};
  Json& graph = model["graph_module"]["graph"];
  graph = {{"nodes", Json::array()}, {"tensor_values", Json::object()}};
  Json& signature = model["graph_module"]["signature"];
  signature["input_specs"] = Json::array({{{"user_input", {{"arg", TensorNamed("x")}}}}});
  Json sizes = Sizes(shape);
  sizes.insert(sizes.begin(), Batch());
  Describe("x", sizes, dtype);
}

void Pt2::Describe(const std::string& name, const Json& sizes, int dtype) {
  model["graph_module"]["graph"]["tensor_values"][name] = Meta(sizes, sizes, dtype);
}

Pt2& Pt2::Parameter(const std::string& name, const std::vector<std::int64_t>& shape,
                    const std::vector<float>& values) {
  const std::string file = "weight_" + std::to_string(weights.size());
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  weights[name] = {{"path_name", file},
                   {"is_param", true},
                   {"use_pickle", false},
                   {"tensor_meta", Meta(Sizes(shape), Sizes(strides), 7)}};
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  records.emplace_back("data/weights/" + file, bytes);
  Json& specs = model["graph_module"]["signature"]["input_specs"];
  const Json spec = {{"arg", {{"name", "p_" + name}}}, {"parameter_name", name}};
  specs.insert(specs.begin(), Json{{"parameter", spec}});
  return *this;
}

Pt2& Pt2::Node(const std::string& target, const nlohmann::ordered_json& arguments,
               const std::string& name, const std::vector<std::int64_t>& shape, int dtype) {
  Json inputs = Json::array();
  for (const auto& [key, value] : arguments.items()) {
    inputs.push_back({{"name", key}, {"arg", value}, {"kind", 1}});
  }
  model["graph_module"]["graph"]["nodes"].push_back({{"target", "torch.ops.aten." + target},
                                                     {"inputs", inputs},
                                                     {"outputs", Json::array({TensorNamed(name)})},
                                                     {"metadata", Json::object()}});
  Json sizes = Sizes(shape);
  sizes.insert(sizes.begin(), Batch());
  Describe(name, sizes, dtype);
  return *this;
}

std::string Pt2::Bytes(const std::string& output) const {
  Json document = model;
  document["graph_module"]["signature"]["output_specs"] =
      Json::array({{{"user_output", {{"arg", TensorNamed(output)}}}}});
  return BytesWithModel(document.dump());
}

std::string Pt2::BytesWithModel(std::string_view text) const {
  Records all = records;
  all.emplace_back("data/weights/model_weights_config.json", Json{{"config", weights}}.dump());
  all.emplace_back("data/constants/model_constants_config.json", R"({"config": {}})");
  all.emplace_back("models/model.json", text);
  all.emplace_back("archive_format", "pt2");
  all.emplace_back("archive_version", "0");
  all.emplace_back("byteorder", "little");
  for (auto& [name, content] : all) name = "m/" + name;
  return WriteStoredZip(all);
}

Json TensorNamed(const std::string& name) { return {{"as_tensor", {{"name", name}}}}; }
Json Whole(std::int64_t value) { return {{"as_int", value}}; }
Json Wholes(const std::vector<std::int64_t>& values) { return {{"as_ints", values}}; }

Pt2 TinyPt2() {
  Pt2 network({3});
  network.Parameter("weight", {2, 3}, {1, 2, 3, -1, 0, 1}).Parameter("bias", {2}, {0.5F, -4});
  network.Node("linear.default",
               {{"input", TensorNamed("x")},
                {"weight", TensorNamed("p_weight")},
                {"bias", TensorNamed("p_bias")}},
               "linear", {2});
  network.Node("relu.default", {{"self", TensorNamed("linear")}}, "relu", {2});
  return network;
}

}  // namespace bnbench::testing
