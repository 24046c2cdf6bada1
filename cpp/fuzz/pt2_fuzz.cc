// An archive is refused as a ModelError, or gives a network whose results depend on no other input.

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/portable/network.h"
#include "fuzz/fuzz.h"

namespace {

using bnbench::fuzz::Require;

// Whether two results are the same bits.
bool IsSame(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

void CheckNetwork(const bnbench::pt2::Network& network) {
  constexpr std::size_t kMaxSize = 1 << 12;  // larger ones only take time
  const std::size_t size = network.input().size();
  if (size > kMaxSize || network.work() > (1 << 20)) return;
  std::vector<float> inputs(2 * size);
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = static_cast<float>(i % 7) - 3;
  for (std::size_t i = 0; i < network.outputs().size(); ++i) {
    const std::size_t out = network.outputs()[i].size();
    const std::vector<float> both = network.Run(inputs, 2, i);
    Require(both.size() == 2 * out, "each input has its results");
    const std::vector<float> second = network.Run(std::span(inputs).subspan(size), 1, i);
    Require(IsSame(second, std::span(both).subspan(out)), "company changes no result");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    CheckNetwork(bnbench::pt2::Network::Load(input, "input"));
  } catch (const bnbench::ModelError&) {
  }
  return 0;
}
