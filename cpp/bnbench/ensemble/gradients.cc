// ComputeGradients, which checks the training code in binary64.
#include <algorithm>
#include <cstddef>
#include <string>

#include "bnbench/ensemble/dispatch.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/ensemble/images.h"
#include "bnbench/ensemble/network.h"
#include "bnbench/errors.h"

namespace bnbench {

GradientResult ComputeGradients(const NetworkShape& network, std::span<const double> parameters,
                                const LabeledImages& batch, std::string_view instruction_set) {
  const ImageTable table(batch, "images");
  if (parameters.size() != CountParameters(network)) {
    throw UsageError("parameters",
                     "the " + std::to_string(CountParameters(network)) + " values of the network",
                     std::to_string(parameters.size()));
  }
  const bool is_normalized =
      network.normalization == Normalization::kBatch && !network.hidden_sizes.empty();
  if (is_normalized && table.size() < 2) {
    throw UsageError("images", "at least two for batch normalization", "one");
  }
  Network<double> trained(network, FindKernels<double>(instruction_set), table.size(), false);
  trained.Load(parameters);
  Batch rows(table.size());
  rows.Gather(table, table.similarity_order());

  // A step of rate 1 takes the gradient from the parameters: so it is the step that is checked.
  GradientResult result;
  result.loss = trained.Train(rows, {1.0, 0.0, 0.0}) / static_cast<double>(table.size());
  result.gradients.resize(parameters.size());
  trained.Save(result.gradients);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    result.gradients[i] = parameters[i] - result.gradients[i];
  }
  // Running statistics are no parameters, and have moved all the same.
  std::size_t inputs = kNumPixels;
  std::size_t next = 0;
  for (const std::size_t units : network.hidden_sizes) {
    next += units * (inputs + 1);
    if (network.normalization == Normalization::kBatch) {
      next += 2 * units;
      std::fill_n(result.gradients.begin() + static_cast<std::ptrdiff_t>(next), 2 * units, 0.0);
      next += 2 * units;
    }
    inputs = units;
  }
  return result;
}

}  // namespace bnbench
