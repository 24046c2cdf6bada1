"""Recipes that fix the seed of the first weights, or of the order, in both engines."""

import dataclasses

import pytest
import torch

from bnbench.data import Dataset
from bnbench.networks import build_first_network, build_network
from bnbench.recipes import RecipeSpec
from bnbench.specs import ENGINE_NAMES, EngineName, TrialSpec, VariantSpec
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import TrainedTrial, train_all
from bnbench.training.engines.reference import draw_epoch_order

VARIANT = VariantSpec("network", hidden_sizes=(8, 6), normalization="batch", dropout=0.2)


def make_trial(
    seed: int,
    initialization: int | None = None,
    order: int | None = None,
) -> TrialSpec:
    recipe = RecipeSpec(2, 32, 0.1, initialization_seed=initialization, order_seed=order)
    return TrialSpec(VARIANT, recipe, seed, "cpu")


def train(dataset: Dataset, engine: EngineName, *trials: TrialSpec) -> list[TrainedTrial]:
    named = [dataclasses.replace(trial, engine=engine) for trial in trials]
    return train_all(make_engine(engine, dataset, 1), named)


def flatten(trained: TrainedTrial) -> torch.Tensor:
    assert trained.state is not None
    return torch.cat([value.flatten().double() for value in trained.state.values()])


def draw_start(trial: TrialSpec) -> tuple[torch.Tensor, torch.Tensor]:
    """The first weights of a trial, and the order of its first epoch."""
    weights = torch.cat([value.flatten() for value in build_first_network(trial).parameters()])
    return weights.detach(), draw_epoch_order(100)


def test_without_fixed_seeds_the_stream_is_the_notebooks() -> None:
    torch.manual_seed(3)
    network = build_network(VARIANT)
    state = torch.get_rng_state()
    found = build_first_network(make_trial(3))
    assert torch.equal(state, torch.get_rng_state())
    for one, other in zip(network.parameters(), found.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_fixed_initialization_is_that_of_its_seed_and_leaves_the_order_as_it_is() -> None:
    weights, order = draw_start(make_trial(3, initialization=7))
    assert torch.equal(weights, draw_start(make_trial(7))[0])
    assert torch.equal(order, draw_start(make_trial(3))[1])


def test_a_fixed_order_is_that_of_its_seed_and_leaves_the_initialization_as_it_is() -> None:
    weights, order = draw_start(make_trial(3, order=7))
    assert torch.equal(weights, draw_start(make_trial(3))[0])
    assert torch.equal(order, draw_start(make_trial(7))[1])


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_weights_of_one_seed_and_order_of_another_make_a_third_training(
    synthetic_dataset: Dataset, engine: EngineName
) -> None:
    trials = (
        make_trial(3),
        make_trial(7),
        make_trial(3, initialization=7),
        make_trial(3, order=7),
        make_trial(7, initialization=3),
        make_trial(3, initialization=7, order=7),
    )
    third, seventh, weights_7, order_7, weights_3, both_7 = (
        flatten(trained) for trained in train(synthetic_dataset, engine, *trials)
    )
    # The same weights and the same order, however they are asked for.
    assert torch.equal(both_7, seventh)
    assert torch.equal(weights_3, order_7)
    different = [third, seventh, weights_7, order_7]
    for index, one in enumerate(different):
        assert not any(torch.equal(one, other) for other in different[index + 1 :])


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_trials_with_both_seeds_fixed_do_not_differ_at_all(
    synthetic_dataset: Dataset, engine: EngineName
) -> None:
    fixed = [make_trial(seed, initialization=0, order=1) for seed in (3, 4)]
    one, other = train(synthetic_dataset, engine, *fixed)
    assert torch.equal(flatten(one), flatten(other))


@pytest.mark.parametrize(
    ("initialization", "order"), [(7, None), (None, 7), (7, 8)], ids=["weights", "order", "both"]
)
def test_both_engines_take_fixed_seeds_alike(
    synthetic_dataset: Dataset, initialization: int | None, order: int | None
) -> None:
    trial = make_trial(3, initialization, order)
    (native,) = train(synthetic_dataset, "native", trial)
    (reference,) = train(synthetic_dataset, "reference", trial)
    (other,) = train(synthetic_dataset, "native", make_trial(3))
    torch.testing.assert_close(flatten(native), flatten(reference), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(flatten(native), flatten(other), rtol=1e-2, atol=1e-2)
