// The product kernel for processors with AVX2.
#define BNBENCH_INSTRUCTION_SET product_avx2
#define BNBENCH_VECTOR_BYTES 32
#define BNBENCH_TILE_ROWS 6
#include "bnbench/portable/product-inl.h"
