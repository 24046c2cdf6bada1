// Bytes of a damaged child are refused as a ModelError, or are the one answer that they encode.

#include <cmath>
#include <string>
#include <string_view>

#include "bnbench/errors.h"
#include "bnbench/model/answer.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kNumInputs = 4;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    const bnbench::ModelAnswer answer = bnbench::DecodeAnswer(input, kNumInputs, "input");
    if (!answer.error) {
      bnbench::fuzz::Require(answer.scores.count() == kNumInputs, "there are as many as asked for");
      for (const float x : answer.scores.values)
        bnbench::fuzz::Require(std::isfinite(x), "all finite");
    }
    const std::string encoded = bnbench::EncodeAnswer(answer);
    const bnbench::ModelAnswer again = bnbench::DecodeAnswer(encoded, kNumInputs, "input");
    bnbench::fuzz::Require(again.error.has_value() == answer.error.has_value() &&
                               again.scores.values == answer.scores.values &&
                               again.seconds == answer.seconds,
                           "an answer survives being told again");
  } catch (const bnbench::ModelError&) {
  }
  return 0;
}
