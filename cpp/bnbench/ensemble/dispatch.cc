#include "bnbench/ensemble/dispatch.h"

#include <string>
#include <vector>

#include "bnbench/ensemble/ensemble.h"
#include "bnbench/errors.h"

namespace bnbench {

#define BNBENCH_DECLARE_KERNELS(instruction_set) \
  namespace instruction_set {                    \
  const KernelTable<float>& FloatKernels();      \
  const KernelTable<double>& DoubleKernels();    \
  }

BNBENCH_DECLARE_KERNELS(portable)
#ifdef BNBENCH_X86_KERNELS
BNBENCH_DECLARE_KERNELS(avx512)
BNBENCH_DECLARE_KERNELS(avx2)
#endif

namespace {

struct InstructionSet {
  const KernelTable<float>& (*float_kernels)();
  const KernelTable<double>& (*double_kernels)();
};

std::vector<InstructionSet> FindSupported() {
  std::vector<InstructionSet> supported;
#ifdef BNBENCH_X86_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    supported.push_back({avx512::FloatKernels, avx512::DoubleKernels});
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    supported.push_back({avx2::FloatKernels, avx2::DoubleKernels});
  }
#endif
  supported.push_back({portable::FloatKernels, portable::DoubleKernels});
  return supported;
}

const InstructionSet& Find(std::string_view name) {
  static const std::vector<InstructionSet> supported = FindSupported();
  std::string names;
  for (const InstructionSet& set : supported) {
    if (name.empty() || name == set.float_kernels().name) return set;
    if (!names.empty()) names += ", ";
    names += set.float_kernels().name;
  }
  throw UsageError("instruction_set", "one that this processor has (" + names + ")",
                   std::string(name));
}

}  // namespace

template <>
const KernelTable<float>& FindKernels<float>(std::string_view instruction_set) {
  return Find(instruction_set).float_kernels();
}

template <>
const KernelTable<double>& FindKernels<double>(std::string_view instruction_set) {
  return Find(instruction_set).double_kernels();
}

std::vector<std::string> SupportedInstructionSets() {
  std::vector<std::string> names;
  for (const InstructionSet& set : FindSupported()) names.emplace_back(set.float_kernels().name);
  return names;
}

std::string DescribeArithmetic(std::string_view instruction_set) {
  const KernelTable<float>& kernels = FindKernels<float>(instruction_set);
  return std::string(kernels.name) +
         (kernels.fuses_multiply_add ? ", fused multiply-add" : ", separate multiply and add");
}

}  // namespace bnbench
