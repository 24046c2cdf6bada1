// Choosing the kernels for the processor at hand.
#ifndef BNBENCH_ENSEMBLE_DISPATCH_H_
#define BNBENCH_ENSEMBLE_DISPATCH_H_

#include <string_view>

#include "bnbench/ensemble/kernels.h"

namespace bnbench {

// The kernels of an instruction set that this processor has; an empty name stands for the widest.
// Throws UsageError, naming those there are. Defined for float and double.
template <class T>
const KernelTable<T>& FindKernels(std::string_view instruction_set);

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_DISPATCH_H_
