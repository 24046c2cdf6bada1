// A graph, put into an otherwise sound archive, is refused as a ModelError or gives a network that
// runs. The input is the text of models/model.json: a fuzzer can't guess the checksums around it.

#include <array>
#include <cstring>
#include <string_view>

#include "bnbench/errors.h"
#include "bnbench/portable/network.h"
#include "fuzz/fuzz.h"
#include "tests/archives.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view model(reinterpret_cast<const char*>(data), size);
  static const bnbench::testing::Pt2 tiny = bnbench::testing::TinyPt2();
  const std::string bytes = tiny.BytesWithModel(model);
  try {
    const auto network = bnbench::pt2::Network::Load(bytes, "input");
    constexpr std::size_t kMaxSize = 1 << 12;  // larger ones only take time
    if (network.input().size() > kMaxSize || network.work() > (1 << 20)) return 0;
    const std::vector<float> inputs(2 * network.input().size(), 0.5F);
    for (std::size_t i = 0; i < network.outputs().size(); ++i) {
      const std::size_t out = network.outputs()[i].size();
      const std::vector<float> both = network.Run(inputs, 2, i);
      bnbench::fuzz::Require(both.size() == 2 * out, "each input has its results");
      bnbench::fuzz::Require(std::memcmp(both.data(), both.data() + out, out * sizeof(float)) == 0,
                             "equal inputs have equal results");
    }
  } catch (const bnbench::ModelError&) {
  }
  return 0;
}
