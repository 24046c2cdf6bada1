import copy

import pytest
import torch
from torch import nn

from bnbench.recipes import RecipeSpec
from bnbench.training.engines.evaluated import WeightAverage, copy_with_precise_statistics


def step_by_step(network: nn.Linear, recipe: RecipeSpec, weights: list[float]) -> WeightAverage:
    """Give a network one weight after the other, and average them."""
    average = WeightAverage(network, recipe)
    average.start_epoch()
    for weight in weights:
        with torch.no_grad():
            network.weight.fill_(weight)
        average.add()
    return average


def make_linear(weight: float) -> nn.Linear:
    network = nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(weight)
    return network


def get_weight(average: WeightAverage) -> float:
    return float(average.network.get_parameter("weight").item())


def test_without_averaging_the_network_in_training_is_evaluated() -> None:
    network = make_linear(1.0)
    assert step_by_step(network, RecipeSpec(), [2.0, 3.0]).network is network


def test_the_moving_average_starts_from_the_first_weights() -> None:
    recipe = RecipeSpec(weight_averaging="ema", averaging_decay=0.75)
    average = step_by_step(make_linear(8.0), recipe, [4.0, 0.0])
    assert get_weight(average) == pytest.approx(0.75 * (0.75 * 8 + 0.25 * 4))


def test_the_mean_of_an_epoch_forgets_the_epoch_before() -> None:
    network = make_linear(8.0)
    average = step_by_step(network, RecipeSpec(weight_averaging="last-epoch"), [1.0, 2.0])
    assert get_weight(average) == pytest.approx(1.5)
    average.start_epoch()
    with torch.no_grad():
        network.weight.fill_(7.0)
    average.add()
    assert get_weight(average) == 7.0
    assert network.weight.item() == 7.0


def test_running_statistics_are_averaged_as_the_weights_are() -> None:
    network = nn.BatchNorm1d(1)
    average = WeightAverage(network, RecipeSpec(weight_averaging="last-epoch"))
    average.start_epoch()
    assert network.running_mean is not None
    for mean in (1.0, 2.0, 6.0):
        network.running_mean.fill_(mean)
        average.add()
    assert average.network.get_buffer("running_mean").item() == pytest.approx(3.0)


def test_precise_statistics_of_one_layer_are_those_of_all_images_at_once() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(25, 3, generator=generator, dtype=torch.float64)
    network = nn.Sequential(nn.BatchNorm1d(3)).double()
    norm = copy_with_precise_statistics(network, images.split(10)).get_submodule("0")
    assert torch.allclose(norm.get_buffer("running_mean"), images.mean(0), rtol=1e-12)
    assert torch.allclose(norm.get_buffer("running_var"), images.var(0), rtol=1e-12)


def test_a_layer_behind_another_sees_what_each_batchs_own_statistics_give() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2), nn.BatchNorm1d(2))
    images = torch.rand(24, 3)
    first, rest = copy.deepcopy(network[0]).train(), network[1:3]
    with torch.no_grad():
        seen = torch.cat([rest(first(batch)) for batch in images.split(8)])
    norm = copy_with_precise_statistics(network, images.split(8)).get_submodule("3")
    assert torch.allclose(norm.get_buffer("running_mean"), seen.mean(0), atol=1e-6)
    assert torch.allclose(norm.get_buffer("running_var"), seen.var(0), rtol=1e-5)


def test_the_network_in_training_keeps_its_running_statistics_and_draws_nothing() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3))
    batches = torch.rand(8, 3).split(4)
    before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    assert copy_with_precise_statistics(network, batches) is not network
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
