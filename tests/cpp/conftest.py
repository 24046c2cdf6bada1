"""A trained model with its manifest and the data that it was tested on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnbench.data import Dataset
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec
from bnbench.training.engines.interface import train_all
from bnbench.training.engines.reference import ReferenceEngine
from tests.conftest import BATCHNORM, export_model, write_idx_files


@pytest.fixture(scope="module")
def original(
    synthetic_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, bytes, bytes]:
    """A trained model's path, its bytes and its manifest's."""
    trial = TrialSpec(BATCHNORM, RecipeSpec(2, 32, 0.5), 0, "cpu")
    (trained,) = train_all(ReferenceEngine(synthetic_dataset), [trial])
    assert trained.state is not None
    folder = tmp_path_factory.mktemp("model")
    path = export_model(trained.record, trained.state, synthetic_dataset.test, folder)
    return path, path.read_bytes(), path.with_suffix(".json").read_bytes()


@pytest.fixture
def model(original: tuple[Path, bytes, bytes], tmp_path: Path) -> Path:
    path = tmp_path / original[0].name
    path.write_bytes(original[1])
    path.with_suffix(".json").write_bytes(original[2])
    return path


@pytest.fixture
def data(synthetic_dataset: Dataset, tmp_path: Path) -> Path:
    write_idx_files(synthetic_dataset.test, tmp_path / "data")
    return tmp_path / "data"
