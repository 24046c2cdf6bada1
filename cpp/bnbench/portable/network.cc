#include "bnbench/portable/network.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <thread>
#include <utility>

#include "bnbench/checked.h"
#include "bnbench/errors.h"
#include "bnbench/portable/operators.h"
#include "bnbench/portable/printable.h"

namespace bnbench::pt2 {
namespace {

// Values of a block stay in the processor's cache.
constexpr std::size_t kBlockElements = std::size_t{1} << 18;
constexpr std::size_t kMaxBlock = 1024;

// The shape of the input after its first dimension, which is that of the inputs.
ValueDescription DescribeInput(const Program& program, const std::string& name, Size* num_inputs) {
  const auto fail = [&](const std::string& expected, const std::string& got) {
    throw ModelError(name + ": input " + Printable(program.input), expected, got,
                     "export it with a dynamic batch dimension and no other");
  };
  const auto found = program.values.find(program.input);
  if (found == program.values.end()) fail("a description", "none");
  const TensorDescription& description = found->second;
  if (description.sizes.empty()) fail("a dimension of the inputs", "none");
  *num_inputs = description.sizes[0];
  ValueDescription input{{}, description.type};
  std::size_t size = 1;
  for (std::size_t d = 1; d < description.sizes.size(); ++d) {
    if (!description.sizes[d].symbol.empty()) fail("one dynamic dimension, the first", "another");
    input.shape.push_back(static_cast<std::size_t>(description.sizes[d].value));
    size = Multiply(size, input.shape.back());
  }
  if (size > kMaxElements) fail("at most 2^26 elements", std::to_string(size));
  return input;
}

// Notes in each step which slots no later one needs.
void FindLastUses(const std::vector<std::size_t>& kept, std::size_t num_slots,
                  const std::vector<Buffer>& memory, std::vector<Step>* steps) {
  std::vector<bool> is_needed(num_slots);
  for (const std::size_t slot : kept) is_needed[slot] = true;
  for (auto step = steps->rbegin(); step != steps->rend(); ++step) {
    for (const std::size_t slot : step->operands) {
      if (!is_needed[slot] && memory[slot] == nullptr) step->last_uses.push_back(slot);
      is_needed[slot] = true;
    }
    if (!is_needed[step->result]) step->last_uses.push_back(step->result);
  }
}

}  // namespace

Network Network::Load(std::string_view bytes, const std::string& name) try {
  const Program program = ReadProgram(bytes, name);
  Network network;
  network.name_ = name;
  network.torch_version_ = program.torch_version;
  network.output_keys_ = program.output_keys;
  Plan plan{.program = &program, .name = name};
  network.input_ = DescribeInput(program, name, &plan.num_inputs);
  plan.memory.emplace_back();
  plan.values.emplace(program.input, Value{.varies = true,
                                           .shape = network.input_.shape,
                                           .type = network.input_.type,
                                           .slot = network.input_slot_});
  for (const Node& node : program.nodes) BindNode(&plan, node);
  for (const std::string& output : program.outputs) {
    const auto found = plan.values.find(output);
    if (found == plan.values.end() || !found->second.varies || found->second.is_stale) {
      throw ModelError(name + ": output " + Printable(output), "a value that depends on the input",
                       "another", "export it again");
    }
    network.outputs_.push_back({found->second.shape, found->second.type});
    network.output_slots_.push_back(found->second.slot);
  }
  FindLastUses(network.output_slots_, plan.memory.size(), plan.memory, &plan.steps);
  std::size_t largest = network.input_.size();
  network.rounds_to_bfloat16_ = network.input_.type == ValueType::kBfloat16;
  for (const Step& step : plan.steps) {
    largest = std::max(largest, step.size);
    network.work_ = Add(network.work_, step.work);
    network.rounds_to_bfloat16_ = network.rounds_to_bfloat16_ || step.rounds_to_bfloat16;
  }
  network.block_size_ =
      std::clamp<std::size_t>(kBlockElements / std::max<std::size_t>(largest, 1), 1, kMaxBlock);
  network.memory_ = std::move(plan.memory);
  network.steps_ = std::move(plan.steps);
  return network;
} catch (const UsageError&) {
  // Of the arithmetic of sizes.
  throw ModelError(name, "tensors that fit into memory", "a size beyond 64 bits", "do not use it");
} catch (const std::bad_alloc&) {
  throw ModelError(name, "to load", "not enough memory");
}

void Network::RunBlock(std::span<const float> inputs, std::size_t count, std::size_t output,
                       std::span<float> results) const {
  std::vector<Buffer> memory = memory_;
  memory[input_slot_] = MakeBuffer(inputs.size());
  std::ranges::copy(inputs, memory[input_slot_].get());
  for (const Step& step : steps_) {
    RunStep(step, count, &memory);
    for (const std::size_t slot : step.last_uses) memory[slot] = nullptr;
  }
  std::copy_n(memory[output_slots_[output]].get(), results.size(), results.begin());
}

std::vector<float> Network::Run(std::span<const float> inputs, std::size_t count,
                                std::size_t output, int num_threads) const {
  const std::size_t in_size = input_.size();
  const std::size_t out_size = outputs_[output].size();
  std::vector<float> results(count * out_size);
  std::atomic<std::size_t> next{0};
  std::atomic<bool> has_failed{false};
  const auto work = [&] {
    try {
      for (;;) {
        const std::size_t first = next.fetch_add(block_size_);
        if (first >= count) return;
        const std::size_t size = std::min(block_size_, count - first);
        RunBlock(inputs.subspan(first * in_size, size * in_size), size, output,
                 std::span(results).subspan(first * out_size, size * out_size));
      }
    } catch (const std::bad_alloc&) {
      has_failed = true;
    }
  };
  {
    std::vector<std::jthread> others;
    const std::size_t num_blocks = (count + block_size_ - 1) / block_size_;
    for (std::size_t i = 1;
         i < std::min<std::size_t>(static_cast<std::size_t>(num_threads), num_blocks); ++i) {
      others.emplace_back(work);
    }
    work();
  }
  if (has_failed) throw ModelError(name_, "to run", "not enough memory");
  return results;
}

}  // namespace bnbench::pt2
