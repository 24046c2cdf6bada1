// The kernels for processors with AVX512. CMakeLists.txt gives this file the compiler's flags for
// it.
#define BNBENCH_INSTRUCTION_SET avx512
#define BNBENCH_VECTOR_BYTES 64
#define BNBENCH_ACCUMULATORS 16
#include "bnbench/ensemble/kernels-inl.h"
