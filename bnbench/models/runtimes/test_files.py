"""The test set as files, for runtimes that are programs and read it by themselves."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

INPUTS_FILE = "inputs.npy"
TARGETS_FILE = "targets.npy"


@contextlib.contextmanager
def provide_test_files(
    folder: Path | None, inputs: NDArray[Any], labels: NDArray[Any]
) -> Iterator[Path]:
    """Yield a folder with the test set: `folder`, or a temporary one with two ``.npy`` files.

    Args:
        folder: folder of IDX files that hold the test set, if there is one.
        inputs: as stored, shape (n, ...).
        labels: shape (n,).
    """
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="bnbench-") as made:
        np.save(Path(made) / INPUTS_FILE, inputs)
        np.save(Path(made) / TARGETS_FILE, labels.astype(np.int64))
        yield Path(made)


def list_data_options(folder: Path) -> list[str]:
    """The options that tell ``bnbench-eval`` where the test set is."""
    inputs, targets = folder / INPUTS_FILE, folder / TARGETS_FILE
    if inputs.exists():
        return ["--inputs", str(inputs), "--targets", str(targets)]
    return ["--data", str(folder)]
