// A zip file is refused as a ModelError, or its records are parts of it that share no byte.

#include <string_view>

#include "bnbench/errors.h"
#include "bnbench/portable/stored_zip.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using bnbench::fuzz::Require;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    std::size_t total = 0;
    for (const auto& [name, content] : bnbench::pt2::ReadStoredZip(input, "input")) {
      Require(!name.empty() && input.find(name) != std::string_view::npos, "names are in the file");
      Require(content.data() >= input.data() &&
                  content.data() + content.size() <= input.data() + input.size(),
              "records are in the file");
      total += content.size() + 2 * name.size();
    }
    Require(total <= size, "records share no byte");
  } catch (const bnbench::ModelError&) {
  }
  return 0;
}
