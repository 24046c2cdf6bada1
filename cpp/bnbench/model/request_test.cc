#include "bnbench/model/request.h"

#include <doctest/doctest.h>

#include <string>

using bnbench::DecodeRequest;
using bnbench::EncodeRequest;
using bnbench::ModelRequest;

TEST_CASE("a request comes back, whatever its key holds") {
  ModelRequest request;
  request.sha256 = std::string(64, 'a');
  request.size_bytes = 12345;
  request.input = {{3, 224},
                   bnbench::DType::kInt64,
                   bnbench::ParseSteps("divide=0.1,normalize=0.1:0.3/0.7:1e-7,reshape=672")};
  request.output = {bnbench::OutputKind::kLogProbabilities, 47, "a\nkey=\n"};
  const ModelRequest found = DecodeRequest(EncodeRequest(request));
  CHECK(found.sha256 == request.sha256);
  CHECK(found.size_bytes == 12345);
  CHECK(found.input.shape == request.input.shape);
  CHECK(found.input.dtype == request.input.dtype);
  CHECK(FormatSteps(found.input.steps) == FormatSteps(request.input.steps));
  CHECK(found.input.steps[0].values[0] == 0.1);
  CHECK(found.output.kind == request.output.kind);
  CHECK(found.output.num_classes == 47);
  CHECK(std::get<std::string>(found.output.element) == "a\nkey=\n");
}

TEST_CASE("a request about a bare model comes back") {
  const ModelRequest found = DecodeRequest(EncodeRequest({}));
  CHECK(found.sha256.empty());
  CHECK(found.input.shape.empty());
  CHECK(found.input.steps.empty());
  CHECK_FALSE(found.output.kind.has_value());
  CHECK(found.output.element.index() == 0);
  ModelRequest by_index;
  by_index.output.element = std::size_t{7};
  CHECK(std::get<std::size_t>(DecodeRequest(EncodeRequest(by_index)).output.element) == 7);
  by_index.output.element = std::string();
  CHECK(std::get<std::string>(DecodeRequest(EncodeRequest(by_index)).output.element).empty());
}
