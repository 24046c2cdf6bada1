// What PyTorch's generator decides: the order of the batches, and what dropout leaves out. Torch's
// headers stay behind this one.
#ifndef BNBENCH_ENSEMBLE_ORDER_H_
#define BNBENCH_ENSEMBLE_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace bnbench {

// What two DataLoaders without workers draw from the default generator: one over the training
// inputs with shuffle=True, iterated in every epoch, and one over the test inputs after it; and
// what dropout draws in between.
class OrderSource {
 public:
  // `state` as torch.get_rng_state() gives it. Throws UsageError if it is none.
  explicit OrderSource(std::span<const std::uint8_t> state);
  ~OrderSource();
  OrderSource(OrderSource&&) noexcept;

  // The order of the next epoch: a permutation of 0 .. num_inputs - 1.
  std::vector<std::int64_t> DrawEpoch(std::size_t num_inputs);
  // Fills `out` as Tensor.bernoulli_ does. Defined for float and double.
  template <class T>
  void DrawBernoulli(double probability, std::span<T> out);
  // The draw that iterating over the test inputs costs.
  void DrawEvaluation();
  std::vector<std::uint8_t> State() const;

 private:
  struct Generator;
  std::unique_ptr<Generator> generator_;
};

}  // namespace bnbench

#endif  // BNBENCH_ENSEMBLE_ORDER_H_
