// The kernels for processors with AVX2. CMakeLists.txt gives this file the compiler's flags for it.
#define BNBENCH_INSTRUCTION_SET avx2
#define BNBENCH_VECTOR_BYTES 32
#define BNBENCH_ACCUMULATORS 8
#include "bnbench/ensemble/kernels-inl.h"
