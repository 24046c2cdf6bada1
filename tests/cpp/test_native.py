"""The readers and the evaluator of ``bnbench._native``, which run in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bnbench import _native
from bnbench.data import Dataset


def test_the_same_library_reads_and_evaluates_in_process(
    model: Path, data: Path, synthetic_dataset: Dataset
) -> None:
    images, labels = (
        _native.read_idx(data / "t10k-images-idx3-ubyte"),
        _native.read_idx(data / "t10k-labels-idx1-ubyte"),
    )
    assert images.tobytes() == synthetic_dataset.test.inputs.numpy().tobytes()
    evaluation = _native.evaluate_model(model, images, labels)
    expected = json.loads(model.with_suffix(".json").read_text())["expected"]
    assert evaluation["correct"] == expected["correct"]
    assert evaluation["predictions"].tolist() == expected["predictions"]
    assert evaluation["training_fault"] is None
    network = torch.jit.load(str(model))
    network.train()
    network.save(str(model))
    fault = _native.evaluate_model(model, images, labels)["training_fault"]
    assert fault is not None
    assert fault.startswith("`norm1`: expected evaluation mode, got training mode")
    (data / "t10k-labels-idx1-ubyte").write_bytes(b"short")
    with pytest.raises(_native.DataError):
        _native.read_idx(data / "t10k-labels-idx1-ubyte")
