// Whether a model gives an input the same scores in any batch, every time.
#ifndef BNBENCH_MODEL_NEIGHBORS_H_
#define BNBENCH_MODEL_NEIGHBORS_H_

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bnbench/model/scores.h"

namespace bnbench {

struct NeighborFault {
  enum class Kind { kNone, kDependsOnBatch, kNotDeterministic };
  Kind kind = Kind::kNone;
  std::string text;  // of the error; empty if there is no fault
};

// Runs the inputs with these numbers as one batch, and returns their scores.
using RunBatch = std::function<std::vector<float>(std::span<const std::size_t> inputs)>;

// How far scores of one input may be apart because another batch size rounds otherwise: 32 units of
// the model's coarsest type, at least 1e-4, of the largest score of the sample.
double NeighborTolerance(double epsilon);

// Runs a sample of inputs alone and twice in other company, and compares with `scores` of all. A
// label has no tolerance: a quarter of the sample must differ from those in other batches, and one
// from its own second run.
NeighborFault FindNeighborFault(const Scores& scores, double epsilon, const RunBatch& run);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_NEIGHBORS_H_
