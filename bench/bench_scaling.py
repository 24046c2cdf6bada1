"""The native engine's time by number of trials; it should grow in proportion."""

import dataclasses

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bnbench.data import Dataset, LabeledInputs
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec
from bnbench.techniques import VARIANTS
from bnbench.training.engines.interface import train_all
from bnbench.training.engines.native import NativeEngine

NUM_IMAGES = 2_000
"""Size of the part of the training set; a thousand trials on all of it would take minutes."""


def take_part(part: LabeledInputs) -> LabeledInputs:
    return dataclasses.replace(
        part, inputs=part.inputs[:NUM_IMAGES], labels=part.labels[:NUM_IMAGES]
    )


@pytest.mark.parametrize("num_trials", [10, 100, 1000])
@pytest.mark.benchmark(group="trials at once, native, 2,000 images")
def test_train_many_trials(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    num_trials: int,
) -> None:
    dataset = dataclasses.replace(
        fashion_mnist, train=take_part(fashion_mnist.train), test=take_part(fashion_mnist.test)
    )
    threads = environment["threads"]
    assert isinstance(threads, int)
    trials = [
        TrialSpec(VARIANTS["batchnorm"], RecipeSpec(epochs=1), seed, "cpu", "native")
        for seed in range(num_trials)
    ]
    trained = benchmark.pedantic(
        train_all, (NativeEngine(dataset, threads), trials), rounds=3, warmup_rounds=1
    )
    benchmark.extra_info |= {
        "environment": environment,
        "num_trials": num_trials,
        "median_seconds_per_trial": benchmark.stats.stats.median / num_trials,
    }
    assert all(trial.record.status == "finished" for trial in trained)
