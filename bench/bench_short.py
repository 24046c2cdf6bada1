"""Small pieces of the main work, some ten milliseconds each: what ``bnbench gate`` measures.

On one thread, and with nothing trained before: a gate starts dozens of processes, and each of
them pays for what the fixtures do.
"""

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bnbench.data import Dataset, LabelledImages
from bnbench.engines import make_engine
from bnbench.engines.interface import train_all
from bnbench.networks import VARIANTS, build_network
from bnbench.runtimes.eager import compute_logits
from bnbench.specs import EngineName, RecipeSpec, TrialSpec

NUM_IMAGES = 2_000


def take_part(part: LabelledImages) -> LabelledImages:
    return dataclasses.replace(
        part, images=part.images[:NUM_IMAGES], labels=part.labels[:NUM_IMAGES]
    )


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other make the time of a short call a matter of luck."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_dataset(fashion_mnist: Dataset) -> Dataset:
    return dataclasses.replace(
        fashion_mnist, train=take_part(fashion_mnist.train), test=take_part(fashion_mnist.test)
    )


@pytest.mark.parametrize("variant", ["baseline", "batchnorm"])
@pytest.mark.parametrize("engine_name", ["reference", "native"])
@pytest.mark.benchmark(group="training, 2,000 images")
def test_train_a_short_epoch(
    benchmark: BenchmarkFixture, small_dataset: Dataset, engine_name: EngineName, variant: str
) -> None:
    engine = make_engine(engine_name, small_dataset, 1)
    trial = TrialSpec(VARIANTS[variant], RecipeSpec(epochs=1), 0, "cpu", engine_name)
    (trained,) = benchmark.pedantic(train_all, (engine, [trial]), rounds=10, warmup_rounds=1)
    assert trained.record.status == "finished"


@pytest.mark.benchmark(group="evaluation, 2,000 images")
def test_evaluate_a_part(benchmark: BenchmarkFixture, small_dataset: Dataset) -> None:
    network = build_network(VARIANTS["batchnorm"])
    network.eval()
    logits = benchmark.pedantic(
        compute_logits, (network, small_dataset.test.images), rounds=20, warmup_rounds=3
    )
    assert logits.shape == (NUM_IMAGES, 10)
