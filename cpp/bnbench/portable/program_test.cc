#include "bnbench/portable/program.h"

#include <doctest/doctest.h>

#include <string>

#include "bnbench/errors.h"
#include "tests/archives.h"

using bnbench::ModelError;
using bnbench::pt2::Program;
using bnbench::pt2::ReadProgram;
using bnbench::testing::Pt2;
using bnbench::testing::TinyPt2;
using bnbench::testing::WriteStoredZip;
using Json = nlohmann::json;

namespace {

void CheckRefused(const std::string& bytes, const char* text) {
  CHECK_THROWS_WITH_AS(ReadProgram(bytes, "m.pt2"), doctest::Contains(text), ModelError);
}

// The tiny network after `change` of its graph's document.
template <class Change>
std::string Altered(const Change& change) {
  Pt2 network = TinyPt2();
  change(&network);
  return network.Bytes("relu");
}

}  // namespace

TEST_CASE("a program has the graph and the tensors of its archive") {
  const std::string bytes = TinyPt2().Bytes("relu");
  const Program program = ReadProgram(bytes, "m.pt2");
  CHECK(program.torch_version == "2.14.1");
  CHECK(program.input == "x");
  CHECK(program.outputs == std::vector<std::string>{"relu"});
  REQUIRE(program.nodes.size() == 2);
  CHECK(program.nodes[0].target == "torch.ops.aten.linear.default");
  CHECK(program.tensors.at("p_weight").shape == std::vector<std::size_t>{2, 3});
  CHECK(program.tensors.at("p_bias").bytes.size() == 8);
}

TEST_CASE("an archive of something else is called what it is") {
  CheckRefused(WriteStoredZip({{"m/constants.pkl", ""}}), "a TorchScript file");
  CheckRefused(WriteStoredZip({{"m/data.pkl", ""}}), "an object that torch.save wrote");
  CheckRefused(WriteStoredZip({{"m/serialized_exported_program.json", "{}"}}), "an older torch");
  CheckRefused(WriteStoredZip({{"m/a", ""}, {"n/b", ""}}), "an archive of something else");
  CheckRefused(
      WriteStoredZip(
          {{"m/archive_format", "pt2"}, {"m/archive_version", "0"}, {"m/byteorder", "little"}}),
      "such as AOTInductor's");
  CheckRefused(WriteStoredZip({{"m/archive_format", "pt3"}}), "expected pt2, got pt3");
  CheckRefused("not a zip file, but a text of some length", "another kind of file");
}

TEST_CASE("unknown versions are refused") {
  CheckRefused(Altered([](Pt2* n) { n->model["schema_version"]["major"] = 9; }), "got 9.20");
  CheckRefused(Altered([](Pt2* n) { n->model["schema_version"]["minor"] = 21; }), "got 8.21");
  CheckRefused(Altered([](Pt2* n) { n->model["opset_version"]["aten"] = 11; }), "version 10");
  CheckRefused(Altered([](Pt2* n) { n->model["opset_version"]["mine"] = 10; }), "version 10");
}

TEST_CASE("pickled tensors are refused") {
  CheckRefused(Altered([](Pt2* n) { n->weights["weight"]["use_pickle"] = true; }),
               "expected plain values, got a pickle");
}

TEST_CASE("a tensor must lie in its record") {
  const auto set = [](const char* key, std::size_t i, const Json& value) {
    return Altered([&](Pt2* n) { n->weights["weight"]["tensor_meta"][key][i]["as_int"] = value; });
  };
  CheckRefused(set("sizes", 0, 3), "a record of at least 36 bytes, as its tensor has, got 24");
  CheckRefused(set("strides", 0, 4), "a record of at least 28 bytes, as its tensor has, got 24");
  std::string spread = Altered([](Pt2* n) {
    Json& meta = n->weights["weight"]["tensor_meta"];
    meta["sizes"][0]["as_int"] = 1 << 20;  // the same row, a million times
    meta["strides"][0]["as_int"] = 0;
  });
  CheckRefused(spread, "a record of at least 12582912 bytes, as its tensor has, got 24");
  CheckRefused(set("sizes", 0, -1), "a size of at least 0, got -1");
  CheckRefused(set("strides", 1, -1), "a size of at least 0, got -1");
  CheckRefused(set("sizes", 0, std::int64_t{1} << 62), "a size beyond 64 bits");
  CheckRefused(set("sizes", 0, 1.5), "a whole number of 64 bits");
  CheckRefused(set("sizes", 0, 0xffffffffffffffffULL), "a whole number of 64 bits");
  CheckRefused(
      Altered([](Pt2* n) { n->weights["weight"]["tensor_meta"]["storage_offset"]["as_int"] = 1; }),
      "a record of at least 28 bytes");
}

TEST_CASE("inputs that are no tensors are refused") {
  CheckRefused(Altered([](Pt2* n) {
                 n->model["graph_module"]["signature"]["input_specs"].push_back(
                     {{"token", {{"arg", {{"name", "t"}}}}}});
               }),
               "an input that is a tensor, got token");
  CheckRefused(Altered([](Pt2* n) {
                 n->model["graph_module"]["signature"]["input_specs"].push_back(
                     {{"user_input", {{"arg", {{"as_tensor", {{"name", "y"}}}}}}}});
               }),
               "expected one input, got several");
}

TEST_CASE("a document that is no JSON, or nests too deep, is refused") {
  const auto with_model = [](const std::string& text) {
    return WriteStoredZip({{"m/archive_format", "pt2"},
                           {"m/archive_version", "0"},
                           {"m/byteorder", "little"},
                           {"m/data/weights/model_weights_config.json", R"({"config": {}})"},
                           {"m/data/constants/model_constants_config.json", R"({"config": {}})"},
                           {"m/models/model.json", text}});
  };
  CheckRefused(with_model("{"), "expected JSON, got none");
  CheckRefused(with_model(std::string(100'000, '[')), "expected JSON, got one that nests too deep");
  CheckRefused(with_model("[]"), "expected an object, got array");
  CheckRefused(with_model("{\"schema_version\": {\"major\": \"8\"}}"), "a whole number");
}
