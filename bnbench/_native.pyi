"""The C++ side of bnbench: reads IDX files and evaluates TorchScript models."""

from os import PathLike
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

class UsageError(ValueError):
    """An argument is out of range."""

class DataError(ValueError):
    """A data file or array is missing, malformed or not the expected one."""

class ModelError(ValueError):
    """A model is missing, no TorchScript, or has other inputs or outputs than asked for."""

class Evaluation(TypedDict):
    """What `evaluate_model` returns (a plain dict at run time)."""

    logits: NDArray[np.float32]
    predictions: NDArray[np.uint8]
    correct: int
    seconds: float

def torch_version() -> str:
    """The version of the LibTorch this module runs."""

def read_idx(path: str | PathLike[str]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, raw or gzipped.

    Returns an array of shape `(count,)` or `(count, rows, columns)`.
    Raises `DataError` if the file is missing, truncated or malformed.
    """

def evaluate_model(
    path: str | PathLike[str],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    batch_size: int = 1000,
    threads: int | None = None,
) -> Evaluation:
    """Run a TorchScript model over uint8 `images` `(N, 28, 28)`, divided by 255, on the CPU.

    Returns logits `(N, 10)`, predictions `(N,)`, the number of correct ones and the seconds of the
    forward passes alone. Other Python threads run meanwhile. Raises `ModelError`, `DataError` or
    `UsageError`. A TorchScript file is code, and no manifest is checked here.
    """
