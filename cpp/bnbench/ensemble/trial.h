// One trial from its initial weights to its result.
#ifndef BNBENCH_ENSEMBLE_TRIAL_H_
#define BNBENCH_ENSEMBLE_TRIAL_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>

#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/images.h"
#include "bnbench/ensemble/kernels.h"

namespace bnbench {

// What all trials of an ensemble share. Read by all threads, changed by none but `stop`.
struct SharedTraining {
  const ImageTable& train;
  const ImageTable& test;
  const KernelTable<float>& kernels;
  const std::atomic<bool>& stop;
};

// Trains one trial, and calls `on_epoch` after each of its epochs. Whatever goes wrong becomes the
// result's reason; only `on_epoch` may throw.
TrialResult TrainTrial(const SharedTraining& shared, const TrialInput& input,
                       const std::function<void(const EpochResult&)>& on_epoch);

// What keeps a trial from being trained on `num_images` images; empty if nothing does.
std::string FindProblem(const TrialInput& input, std::size_t num_images);

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_TRIAL_H_
