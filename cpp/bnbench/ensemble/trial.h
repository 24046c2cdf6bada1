// One trial from its initial weights to its result.
#ifndef BNBENCH_ENSEMBLE_TRIAL_H_
#define BNBENCH_ENSEMBLE_TRIAL_H_

#include <atomic>
#include <cstddef>
#include <functional>

#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/inputs.h"
#include "bnbench/ensemble/kernels.h"

namespace bnbench {

// What all trials of an ensemble share. Read by all threads, changed by none but `stop`.
template <class T>
struct SharedTraining {
  const InputTable& train;
  const InputTable& test;
  const KernelTable<T>& kernels;
  const std::atomic<bool>& stop;
};

// Trains one trial, and calls `on_epoch` after each of its epochs. Every failure, also one of
// `on_epoch`, becomes the result's reason. Defined for float and double.
template <class T>
BasicTrialResult<T> TrainTrial(const SharedTraining<T>& shared, const BasicTrialInput<T>& input,
                               const std::function<void(const EpochResult&)>& on_epoch);

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_TRIAL_H_
