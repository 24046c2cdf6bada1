// What the fuzz targets share. Each of them defines LLVMFuzzerTestOneInput, which libFuzzer calls
// with inputs of its making and replay.cc with those of the corpus.
#ifndef BNBENCH_FUZZ_FUZZ_H_
#define BNBENCH_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace bnbench::fuzz {

// Ends the process, which is what libFuzzer takes for a finding, unless `holds`.
inline void Require(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", sentence);
  std::abort();
}

}  // namespace bnbench::fuzz

#endif  // BNBENCH_FUZZ_FUZZ_H_
