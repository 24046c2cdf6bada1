// A network from a torch.export archive, run without LibTorch.
//
// An archive holds a graph of operators and numbers, and no code. What the interpreter does not
// know, it refuses.
#ifndef BNBENCH_PORTABLE_NETWORK_H_
#define BNBENCH_PORTABLE_NETWORK_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bnbench/portable/binding.h"

namespace bnbench::pt2 {

// What a network takes or gives for one input.
struct ValueDescription {
  Shape shape;
  ValueType type = ValueType::kFloat32;
  std::size_t size() const { return CountElements(shape); }
};

class Network {
 public:
  // Reads an archive from the bytes of its file, which need not stay. Errors call it `name`. Throws
  // ModelError.
  static Network Load(std::string_view bytes, const std::string& name);

  const ValueDescription& input() const { return input_; }
  // A network may return several tensors.
  const std::vector<ValueDescription>& outputs() const { return outputs_; }
  const std::string& torch_version() const { return torch_version_; }  // of the exporter

  // The outputs' keys if the network returns a dictionary; else empty.
  const std::vector<std::string>& output_keys() const { return output_keys_; }
  // Whether any value is in bfloat16.
  bool rounds_to_bfloat16() const { return rounds_to_bfloat16_; }

  // As many inputs as are best computed at a time.
  std::size_t block_size() const { return block_size_; }

  // How many operations one input takes, roughly.
  std::size_t work() const { return work_; }

  // The values of output `output` for `count` inputs, in C order. Whole numbers are given and
  // returned as floats. An input's values depend on nothing but that input. Throws ModelError if
  // the memory does not suffice.
  std::vector<float> Run(std::span<const float> inputs, std::size_t count, std::size_t output = 0,
                         int num_threads = 1) const;

 private:
  void RunBlock(std::span<const float> inputs, std::size_t count, std::size_t output,
                std::span<float> results) const;

  std::string name_;
  std::string torch_version_;
  ValueDescription input_;
  std::vector<ValueDescription> outputs_;
  std::vector<std::string> output_keys_;
  std::vector<std::size_t> output_slots_;
  bool rounds_to_bfloat16_ = false;
  std::size_t input_slot_ = 0;
  std::size_t block_size_ = 1;
  std::size_t work_ = 0;
  std::vector<Buffer> memory_;
  std::vector<Step> steps_;
};

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_NETWORK_H_
