// A pickle is refused as a ModelError, or lists tensors with keys that can be those of records.

#include <string>
#include <string_view>

#include "bnbench/errors.h"
#include "bnbench/io/pickle.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    for (const bnbench::StoredTensor& tensor : bnbench::ListStoredTensors(input, "input")) {
      bnbench::fuzz::Require(!tensor.key.empty() && tensor.key.size() <= 64, "keys are short");
      bnbench::fuzz::Require(input.find(tensor.key) != std::string_view::npos,
                             "keys stand in the pickle");
    }
  } catch (const bnbench::ModelError&) {
  }
  return 0;
}
