"""Short benchmarks of a few milliseconds each, for ``bnbench gate``.

They use one thread and fixtures that load and train nothing: a gate starts dozens of processes, and
each runs the fixtures again.
"""

from collections.abc import Iterator

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bnbench.data import Dataset, LabeledInputs
from bnbench.models.torch_network import compute_logits
from bnbench.networks import build_network
from bnbench.recipes import RecipeSpec
from bnbench.specs import EngineName, TrialSpec
from bnbench.techniques import VARIANTS
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import train_all

NUM_IMAGES = 192
"""Images of three batches."""
EVALUATION_BATCH_SIZE = 32
"""Keeps buffers at 100 kB. The allocator may return larger ones to the system after each call, and
then page faults dominate the time."""


def make_part(seed: int) -> LabeledInputs:
    """Make images of noise with half of their pixels zero, as in FashionMNIST."""
    generator = torch.Generator().manual_seed(seed)
    shape = (NUM_IMAGES, 28, 28)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    images[torch.rand(shape, generator=generator) < 0.5] = 0
    labels = torch.randint(0, 10, (NUM_IMAGES,), generator=generator, dtype=torch.uint8)
    return LabeledInputs(images, labels, "", "")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: threads that wait for each other make short calls noisy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("none")
    return Dataset("noise", make_part(0), make_part(1), folder, "made for the benchmarks")


@pytest.mark.parametrize("variant", ["baseline", "batchnorm"])
@pytest.mark.parametrize("engine_name", ["reference", "native"])
@pytest.mark.benchmark(group="training, 192 images")
def test_train_a_short_epoch(
    benchmark: BenchmarkFixture, small_dataset: Dataset, engine_name: EngineName, variant: str
) -> None:
    engine = make_engine(engine_name, small_dataset, 1)
    trial = TrialSpec(VARIANTS[variant], RecipeSpec(epochs=1), 0, "cpu", engine_name)
    (trained,) = benchmark.pedantic(train_all, (engine, [trial]), rounds=10, warmup_rounds=1)
    assert trained.record.status == "finished"


@pytest.mark.benchmark(group="evaluation, 192 images")
def test_evaluate_a_part(benchmark: BenchmarkFixture, small_dataset: Dataset) -> None:
    network = build_network(VARIANTS["batchnorm"])
    network.eval()
    logits = benchmark.pedantic(
        compute_logits,
        (network, small_dataset.test.inputs, EVALUATION_BATCH_SIZE),
        rounds=20,
        warmup_rounds=3,
    )
    assert logits.shape == (NUM_IMAGES, 10)
