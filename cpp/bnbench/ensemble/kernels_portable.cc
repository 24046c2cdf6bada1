// The kernels for every processor: vectors of 16 bytes, which x86-64 (SSE2) and ARM (NEON) have.
#define BNBENCH_INSTRUCTION_SET portable
#define BNBENCH_VECTOR_BYTES 16
#define BNBENCH_ACCUMULATORS 8
#include "bnbench/ensemble/kernels-inl.h"
