"""The diagnosis of models whose inputs are no images of 28 x 28 bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.data import Dataset
from bnbench.data_arrays import Arrays, make_dataset
from bnbench.models.agreement import make_reference
from bnbench.models.diagnosis import diagnose_logits
from bnbench.models.diagnosis.faults import Fault
from bnbench.models.export import make_model_files, write_model_files
from bnbench.models.exported_model import read_model
from bnbench.networks import build_network
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec
from tests.conftest import BATCHNORM, fake_record

Values = NDArray[np.float64]
SHAPES = {
    "features": ((13,), "float32"),
    "color bytes": ((3, 4, 5), "uint8"),
    "wide bytes": ((3, 7), "uint8"),
}


def make_data(shape: tuple[int, ...], dtype: str) -> Dataset:
    random = np.random.default_rng(0)
    inputs = random.integers(0, 256, (60, *shape)).astype(dtype)
    labels = np.arange(60) % 12
    return make_dataset("d", "a test", Arrays(inputs, labels, inputs, labels))


def diagnose(data: Dataset, folder: Path, change: Callable[[Values], Values]) -> Fault | None:
    torch.manual_seed(0)
    state = build_network(BATCHNORM, data.shape).eval().state_dict()
    record = fake_record(TrialSpec(BATCHNORM, RecipeSpec(epochs=1), 0, "cpu"))
    files = make_model_files(record, state, data.name, data.test, data.shape)
    path = write_model_files(files, folder)
    inputs = data.test.inputs.numpy()
    reference = make_reference(read_model(path), inputs, data.test.labels.numpy())
    return diagnose_logits(reference, change(reference.logits), inputs)


@pytest.mark.parametrize(("shape", "dtype"), SHAPES.values(), ids=SHAPES.keys())
def test_right_logits_have_no_fault_and_wrong_ones_have_one(
    shape: tuple[int, ...], dtype: str, tmp_path: Path
) -> None:
    data = make_data(shape, dtype)
    assert diagnose(data, tmp_path, lambda logits: logits) is None
    fault = diagnose(data, tmp_path, lambda logits: 2 * logits)
    assert fault is not None


def test_guessing_is_one_in_as_many_as_there_are_classes(tmp_path: Path) -> None:
    data, random = make_data((13,), "float32"), np.random.default_rng(1)
    fault = diagnose(data, tmp_path, lambda logits: random.normal(size=logits.shape))
    assert fault is not None
    assert fault.name == "unknown"
    assert "guessing gives 8.33 %" in fault.text
