// The kernel tables of one instruction set. See vector-inl.h for how to include it.
#ifndef BNBENCH_ENSEMBLE_KERNELS_INL_H_
#define BNBENCH_ENSEMBLE_KERNELS_INL_H_

#include "bnbench/ensemble/dense-inl.h"
#include "bnbench/ensemble/input-inl.h"
#include "bnbench/ensemble/units-inl.h"

namespace bnbench::BNBENCH_INSTRUCTION_SET {

#define BNBENCH_QUOTE(text) #text
#define BNBENCH_NAME_OF(macro) BNBENCH_QUOTE(macro)

template <class T>
inline constexpr KernelTable<T> kKernels = {
    .name = BNBENCH_NAME_OF(BNBENCH_INSTRUCTION_SET),
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    .fuses_multiply_add = true,
#else
    .fuses_multiply_add = false,
#endif
    .input_forward = InputForward<T>,
    .input_block_ink = InputBlockInk,
    .input_update = InputUpdate<T>,
    .dense_forward = DenseForward<T>,
    .dense_update = DenseUpdate<T>,
    .transpose = Transpose<T>,
    .bias_update = BiasUpdate<T>,
    .vector_update = VectorUpdate<T>,
    .column_statistics = ColumnStatistics<T>,
    .normalize = Normalize<T>,
    .normalize_backward = NormalizeBackward<T>,
    .normalize_rows = NormalizeRows<T>,
    .normalize_rows_backward = NormalizeRowsBackward<T>,
    .activate = Activate<T>,
    .activate_backward = ActivateBackward<T>,
    .cross_entropy = CrossEntropy<T>,
    .blend = Blend<T>,
};

const KernelTable<float>& FloatKernels() { return kKernels<float>; }
const KernelTable<double>& DoubleKernels() { return kKernels<double>; }

}  // namespace bnbench::BNBENCH_INSTRUCTION_SET

#endif  // BNBENCH_ENSEMBLE_KERNELS_INL_H_
