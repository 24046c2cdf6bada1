"""Small networks with weights of their own, exported as studies export theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.data import Dataset
from bnbench.models.exported_model import read_model
from bnbench.models.manifest import (
    DataDescription,
    Expectation,
    InputDescription,
    Manifest,
    ModelFile,
    NetworkDescription,
    OutputDescription,
    Probes,
)
from bnbench.models.preprocessing import Step
from bnbench.models.runtimes import open_runtime
from bnbench.models.runtimes.aotinductor import AOTInductorRuntime
from bnbench.networks import build_network
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec, VariantSpec
from tests.conftest import BATCHNORM, export_model, fake_record

Exporter = Callable[[VariantSpec, int], Path]

MANIFEST = Manifest(
    model=ModelFile("tiny-seed3-cpu.pt", "0" * 64, 9, "torchscript"),
    input=InputDescription(
        (28, 28), "uint8", (Step("divide", by=255.0), Step("reshape", shape=(1, 28, 28)))
    ),
    output=OutputDescription("logits", 10),
    data=DataDescription("synthetic", "1" * 64, "2" * 64),
    variant=VariantSpec("tiny", hidden_sizes=()),
    recipe=RecipeSpec(),
    seed=3,
    device="cpu",
    engine="reference",
    versions={"bnbench": "1", "torch": "2"},
    network=NetworkDescription({}, {"norm1.eps": 1e-5}, ()),
    expected=Expectation(1, 1, (0,), "3" * 64, Probes((0,), ((-2.5e-8, *[0.5] * 9),))),
)


def make_state(variant: VariantSpec, seed: int) -> dict[str, torch.Tensor]:
    """Weights in which nothing is 0 or 1 that normalization starts at."""
    torch.manual_seed(seed)
    state = build_network(variant).state_dict()
    for name, value in state.items():
        if "norm" in name and value.is_floating_point():
            value.uniform_(0.5, 1.5)
    return state


def evaluate(runtime: str, path: Path, images: NDArray[np.uint8]) -> NDArray[np.floating]:
    """The logits of an exported file in a runtime that needs no data folder."""
    (evaluation,) = open_runtime(runtime, Path()).evaluate([read_model(path)], images)
    assert evaluation.logits is not None, evaluation.reason
    return evaluation.logits


@pytest.fixture
def export(tmp_path: Path, synthetic_dataset: Dataset) -> Exporter:
    """Export a variant with the weights of a seed; the answer is the path of the ``.pt`` file."""

    def export(variant: VariantSpec, seed: int = 0) -> Path:
        record = fake_record(TrialSpec(variant, RecipeSpec(), seed, "cpu"))
        state = make_state(variant, seed)
        return export_model(record, state, synthetic_dataset.test, tmp_path)

    return export


@pytest.fixture(scope="session")
def images(synthetic_dataset: Dataset) -> NDArray[np.uint8]:
    values: NDArray[np.uint8] = synthetic_dataset.test.inputs.numpy()
    return values


@pytest.fixture(scope="session")
def compiled() -> AOTInductorRuntime:
    """The compiled small network with batch normalization: the one compilation of all tests."""
    runtime = AOTInductorRuntime(Path())
    runtime.get_package(BATCHNORM)
    return runtime
