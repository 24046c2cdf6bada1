"""Shared fixtures. Benchmarks run only with ``pytest --benchmark-only``.

What imports torch is imported inside the fixtures: the gate starts dozens of processes, also for
suites that do not need it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bnbench.data import Dataset
    from bnbench.training.engines.interface import TrainedTrial

BENCHMARKS_FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect benchmarks in plain ``pytest``, and tests in ``pytest --benchmark-only``."""
    wants_benchmarks = config.getoption("benchmark_only")
    kept, left_out = [], []
    for item in items:
        is_benchmark = BENCHMARKS_FOLDER in item.path.parents
        (kept if is_benchmark == wants_benchmarks else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.fixture(scope="session")
def fashion_mnist() -> Dataset:
    from bnbench.data import load_fashion_mnist

    return load_fashion_mnist()


@pytest.fixture(scope="session")
def environment() -> dict[str, object]:
    """Describe machine and software for a benchmark's ``extra_info``."""
    from bnbench.environment import describe_environment

    return dataclasses.asdict(describe_environment(["cpu"]))


@pytest.fixture(scope="session")
def trained(fashion_mnist: Dataset) -> TrainedTrial:
    """Train a network with batch normalization for one epoch, to export and evaluate it."""
    from bnbench.recipes import RecipeSpec
    from bnbench.specs import TrialSpec
    from bnbench.techniques import VARIANTS
    from bnbench.training.engines.interface import train_all
    from bnbench.training.engines.reference import ReferenceEngine

    trial = TrialSpec(VARIANTS["batchnorm"], RecipeSpec(epochs=1), 0, "cpu")
    (trained,) = train_all(ReferenceEngine(fashion_mnist), [trial])
    return trained


@pytest.fixture(scope="session")
def model(
    trained: TrainedTrial, fashion_mnist: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Export `trained`, with its manifest beside the file."""
    from bnbench.models.export import make_model_files, write_model_files

    assert trained.state is not None
    files = make_model_files(trained.record, trained.state, fashion_mnist.name, fashion_mnist.test)
    return write_model_files(files, tmp_path_factory.mktemp("models"))
