// The product kernel for processors with AVX-512.
#define BNBENCH_INSTRUCTION_SET product_avx512
#define BNBENCH_VECTOR_BYTES 64
#define BNBENCH_TILE_ROWS 12
#include "bnbench/portable/product-inl.h"
