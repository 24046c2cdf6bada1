#include "bnbench/model/answer.h"

#include <doctest/doctest.h>

#include <limits>

using bnbench::DecodeAnswer;
using bnbench::EncodeAnswer;
using bnbench::ExitCode;
using bnbench::ModelAnswer;
using bnbench::ModelError;
using bnbench::NeighborFault;
using bnbench::OutputKind;

namespace {

ModelAnswer MakeAnswer() {
  ModelAnswer answer;
  answer.training_fault = {"so it is", true};
  answer.seconds = 0.5;
  answer.neighbor_fault = {NeighborFault::Kind::kDependsOnBatch, "on others"};
  answer.benchmark = {12, 0.5, 0.25, 0.75, true};
  answer.epsilon = 0.125;
  answer.scores = {OutputKind::kProbabilities, 2, {1.5F, -2.0F, 0.0F, 0.5F, 1, 2}};
  return answer;
}

}  // namespace

TEST_CASE("an answer with scores comes back") {
  const std::string bytes = EncodeAnswer(MakeAnswer());
  CHECK(bytes.size() <= bnbench::MaxAnswerBytes(6));
  const ModelAnswer answer = DecodeAnswer(bytes, 3, "m.pt");
  CHECK_FALSE(answer.error.has_value());
  CHECK(answer.training_fault.text == "so it is");
  CHECK(answer.training_fault.is_fixed);
  CHECK(answer.seconds == 0.5);
  CHECK(answer.scores.values == std::vector<float>{1.5F, -2.0F, 0.0F, 0.5F, 1, 2});
  CHECK(answer.scores.kind == OutputKind::kProbabilities);
  CHECK(answer.scores.width == 2);
  CHECK(answer.neighbor_fault.kind == NeighborFault::Kind::kDependsOnBatch);
  CHECK(answer.neighbor_fault.text == "on others");
  REQUIRE(answer.benchmark.has_value());
  CHECK(answer.benchmark->repeats == 12);
  CHECK(answer.benchmark->high == 0.75);
  CHECK(answer.benchmark->is_narrow);
  CHECK(answer.epsilon == 0.125);
}

TEST_CASE("an answer with an error comes back, cut where it is too long") {
  ModelAnswer answer;
  answer.error = ModelError("m.pt", "a model", std::string(100'000, 'x'));
  const std::string bytes = EncodeAnswer(answer);
  CHECK(bytes.size() <= bnbench::MaxAnswerBytes(0));
  const ModelAnswer found = DecodeAnswer(bytes, 3, "m.pt");
  REQUIRE(found.error.has_value());
  CHECK(found.error->code() == ExitCode::kModel);
  CHECK(found.error->key() == "m.pt");
  CHECK(std::string(found.error->what()).find("m.pt: expected a model, got xxx") == 0);
}

TEST_CASE("an answer that is cut, has more bytes or another number of scores is refused") {
  ModelAnswer with_error;
  with_error.error = ModelError("m.pt", "a model", "none");
  for (const std::string& bytes : {EncodeAnswer(MakeAnswer()), EncodeAnswer(with_error)}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK_THROWS_AS(DecodeAnswer(bytes.substr(0, size), 3, "m.pt"), ModelError);
    }
    CHECK_THROWS_AS(DecodeAnswer(bytes + "x", 3, "m.pt"), ModelError);
  }
  CHECK_THROWS_AS(DecodeAnswer(EncodeAnswer(MakeAnswer()), 4, "m.pt"), ModelError);
  CHECK_THROWS_AS(DecodeAnswer(EncodeAnswer(MakeAnswer()), 2, "m.pt"), ModelError);
}

TEST_CASE("numbers that no model may have are refused") {
  for (const float wrong :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    ModelAnswer answer = MakeAnswer();
    answer.scores.values[1] = wrong;
    CHECK_THROWS_AS(DecodeAnswer(EncodeAnswer(answer), 3, "m.pt"), ModelError);
    answer = MakeAnswer();
    answer.seconds = static_cast<double>(wrong);
    CHECK_THROWS_AS(DecodeAnswer(EncodeAnswer(answer), 3, "m.pt"), ModelError);
  }
}

TEST_CASE("labels that no model may have are refused") {
  ModelAnswer answer = MakeAnswer();
  answer.scores = {OutputKind::kLabels, 1, {0, 46, bnbench::kMaxLabel}};
  CHECK(DecodeAnswer(EncodeAnswer(answer), 3, "m.pt").scores.values[1] == 46);
  for (const float wrong : {-1.0F, 2 * bnbench::kMaxLabel}) {
    answer.scores.values[1] = wrong;
    CHECK_THROWS_AS(DecodeAnswer(EncodeAnswer(answer), 3, "m.pt"), ModelError);
  }
  answer.scores = {OutputKind::kLabels, 2, {0, 1, 2, 3, 4, 5}};
  CHECK_THROWS_AS(DecodeAnswer(EncodeAnswer(answer), 3, "m.pt"), ModelError);
}

TEST_CASE("an exit code that is none of a failure is refused") {
  ModelAnswer with_error;
  with_error.error = ModelError("m.pt", "a model", "none");
  std::string bytes = EncodeAnswer(with_error);
  for (const char code : {'\0', '\x06', '\xff'}) {
    bytes[1] = code;
    CHECK_THROWS_AS(DecodeAnswer(bytes, 3, "m.pt"), ModelError);
  }
}
