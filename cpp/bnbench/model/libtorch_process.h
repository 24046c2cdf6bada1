// Settings of LibTorch that hold for the whole process.
#ifndef BNBENCH_MODEL_LIBTORCH_PROCESS_H_
#define BNBENCH_MODEL_LIBTORCH_PROCESS_H_

#include <string>

namespace bnbench {

// The version of the LibTorch that is loaded, such as "2.14.1".
std::string TorchVersion();

// Sets the number of threads that LibTorch computes with for the calling thread.
void SetNumThreads(int threads);

// Opens LibTorch's CUDA library, which is not linked. Must come before the first use of a CUDA
// device; throws UsageError if this LibTorch has none or the machine has no usable GPU.
void EnableCuda();

}  // namespace bnbench

#endif  // BNBENCH_MODEL_LIBTORCH_PROCESS_H_
