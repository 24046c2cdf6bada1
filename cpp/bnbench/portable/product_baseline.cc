// The product kernel for every processor.
#define BNBENCH_INSTRUCTION_SET product_baseline
#define BNBENCH_VECTOR_BYTES 16
#define BNBENCH_TILE_ROWS 3
#include "bnbench/portable/product-inl.h"
