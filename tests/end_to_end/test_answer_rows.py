"""The recipes of the fair series against a loop that shares no code with the engines.

The loop has its own networks, order of images, schedule and statistics. So single trainings differ,
and means over seeds may differ by chance alone.
"""

import math
from statistics import fmean, stdev

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from bnbench.data import Dataset
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec
from bnbench.techniques import VARIANTS
from bnbench.training.catalog import SERIES
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import train_all

SEEDS = range(4)
RATES = {
    "notebook": {"baseline": 0.001, "batchnorm": 0.001},
    "constant": {"baseline": 0.09, "batchnorm": 0.006},
    "linear": {"baseline": 0.256, "batchnorm": 0.128},
    "linear-precise": {"baseline": 0.256, "batchnorm": 0.128},
    "linear-precise-20": {"baseline": 0.256, "batchnorm": 0.128},
}
"""Learning rates near the best; the comparison holds at any."""
RECIPES = {study.name: study.recipe for study in SERIES["fair"].studies}

T_OF_4_AND_4_SEEDS = 5.96
"""Student's t for 6 degrees of freedom that chance exceeds once in a thousand comparisons."""


def train_by_hand(
    dataset: Dataset, variant: str, recipe: RecipeSpec, rate: float, seed: int
) -> float:
    """Train and evaluate one network; return its accuracy on the test set."""
    torch.manual_seed(10_000 + seed)
    layers: list[nn.Module] = []
    for inputs, outputs in ((784, 64), (64, 32)):
        norm = [nn.BatchNorm1d(outputs)] if variant == "batchnorm" else []
        layers += [nn.Linear(inputs, outputs), *norm, nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(32, 10))
    images, labels = dataset.train.inputs.flatten(1) / 255, dataset.train.labels.long()
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    num_steps = math.ceil(len(labels) / recipe.batch_size) * recipe.epochs
    end = 0.0 if recipe.schedule == "linear" else 1.0
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, end, num_steps)
    for _ in range(recipe.epochs):
        for batch in torch.randperm(len(labels)).split(recipe.batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
            scheduler.step()
    if recipe.evaluation_statistics == "precise":
        update_bn(images.split(1000), network)
    network.eval()
    with torch.no_grad():
        predicted = network(dataset.test.inputs.flatten(1) / 255).argmax(1)
    return (predicted == dataset.test.labels).float().mean().item()


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("row", RECIPES)
@pytest.mark.parametrize("variant", ["baseline", "batchnorm"])
def test_each_row_agrees_with_a_loop_of_its_own(
    fashion_mnist: Dataset, row: str, variant: str
) -> None:
    rate = RATES[row][variant]
    recipe = RecipeSpec(**{**vars(RECIPES[row]), "learning_rate": rate})
    trials = [TrialSpec(VARIANTS[variant], recipe, seed, "cpu", "native") for seed in SEEDS]
    engine = make_engine("native", fashion_mnist, 1)
    ours = [t.record.epochs[-1].test_accuracy for t in train_all(engine, trials)]
    theirs = [train_by_hand(fashion_mnist, variant, recipe, rate, seed) for seed in SEEDS]
    error = math.sqrt((stdev(ours) ** 2 + stdev(theirs) ** 2) / len(SEEDS))
    assert abs(fmean(ours) - fmean(theirs)) < T_OF_4_AND_4_SEEDS * error
    assert error < 0.03, "seeds differ too much for the comparison to mean anything"
