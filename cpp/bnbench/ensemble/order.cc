#include "bnbench/ensemble/order.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>

#include "bnbench/checked.h"
#include "bnbench/ensemble/ensemble.h"
#include "bnbench/errors.h"

namespace bnbench {
namespace {

// torch.empty((), dtype=torch.int64).random_(generator=generator).item()
std::int64_t DrawSeed(at::Generator& generator) {
  return at::empty({}, at::kLong).random_(generator).item<std::int64_t>();
}

}  // namespace

struct OrderSource::Generator {
  at::Generator value = at::detail::createCPUGenerator();
};

OrderSource::OrderSource(std::span<const std::uint8_t> state)
    : generator_(std::make_unique<Generator>()) {
  at::Tensor bytes = at::empty({static_cast<std::int64_t>(state.size())}, at::kByte);
  std::copy(state.begin(), state.end(), bytes.data_ptr<std::uint8_t>());
  try {
    const std::scoped_lock lock(generator_->value.mutex());
    generator_->value.set_state(bytes);
  } catch (const c10::Error&) {
    throw UsageError("random_state", "the bytes of torch.get_rng_state() of this version of torch",
                     std::to_string(state.size()) + " bytes that its CPU generator refuses");
  }
}

OrderSource::~OrderSource() = default;
OrderSource::OrderSource(OrderSource&&) noexcept = default;

std::vector<std::int64_t> OrderSource::DrawEpoch(std::size_t num_inputs) {
  DrawSeed(generator_->value);  // the loader's own, for workers it does not have
  const std::int64_t seed = DrawSeed(generator_->value);
  at::Generator shuffler = at::detail::createCPUGenerator(static_cast<std::uint64_t>(seed));
  // What torch.randperm computes, which would start an OpenMP thread for each of ours.
  at::CPUGeneratorImpl* const random = shuffler.get<at::CPUGeneratorImpl>();
  std::vector<std::int64_t> order(num_inputs);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = 0; i + 1 < num_inputs; ++i) {
    std::swap(order[i], order[i + random->random() % (num_inputs - i)]);
  }
  return order;
}

template <class T>
void OrderSource::DrawBernoulli(double probability, std::span<T> out) {
  constexpr at::ScalarType kType = std::is_same_v<T, float> ? at::kFloat : at::kDouble;
  at::from_blob(out.data(), {static_cast<std::int64_t>(out.size())}, kType)
      .bernoulli_(probability, generator_->value);
}

template void OrderSource::DrawBernoulli(double, std::span<float>);
template void OrderSource::DrawBernoulli(double, std::span<double>);

void OrderSource::DrawEvaluation() { DrawSeed(generator_->value); }

std::vector<std::uint8_t> OrderSource::State() const {
  const std::scoped_lock lock(generator_->value.mutex());
  const at::Tensor bytes = generator_->value.get_state();
  const std::uint8_t* first = bytes.const_data_ptr<std::uint8_t>();
  return {first, first + bytes.numel()};
}

BatchOrders DrawBatchOrders(std::span<const std::uint8_t> random_state, std::size_t num_inputs,
                            std::size_t epochs) {
  if (num_inputs > kMaxInputs) {
    throw UsageError("num_inputs", "at most " + std::to_string(kMaxInputs),
                     std::to_string(num_inputs));
  }
  OrderSource source(random_state);
  BatchOrders orders;
  orders.indices.reserve(Multiply(num_inputs, epochs));
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    const std::vector<std::int64_t> order = source.DrawEpoch(num_inputs);
    orders.indices.insert(orders.indices.end(), order.begin(), order.end());
    source.DrawEvaluation();
  }
  orders.random_state = source.State();
  return orders;
}

}  // namespace bnbench
