"""The C++ side of bnbench: reads IDX files and evaluates TorchScript models."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Literal, TypedDict

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
    predictions: NDArray[np.int64]
    correct: int
    seconds: float
    training_fault: str | None

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
) -> Evaluation:
    """Run a TorchScript model over uint8 `images` `(N, rows, columns)`, divided by 255.

    Returns logits `(N, classes)`, predictions `(N,)`, the number of correct ones, the seconds from
    bytes to logits and why the model is not in evaluation mode. Other Python threads run
    meanwhile. Raises `ModelError`, `DataError` or `UsageError`. A TorchScript file is code, and no
    manifest is checked here.
    """

class EnsembleTrial:
    """One training run as asked for.

    `learning_rates`: float64 `(steps of all epochs,)`, or `(1,)` for all steps. `parameters`:
    float32 `(N,)`, layer by layer in the order of PyTorch's `state_dict` without
    `num_batches_tracked`. `random_state`: the bytes of `torch.get_rng_state()` after the network
    was built. None of them is copied.
    """

    def __init__(
        self,
        *,
        hidden_sizes: Sequence[int],
        learning_rates: NDArray[np.float64],
        parameters: NDArray[np.float32],
        random_state: bytes,
        normalization: str = "none",
        placement: str = "before",
        activation: str = "relu",
        dropout: float = 0.0,
        residual: bool = False,
        epochs: int = 1,
        batch_size: int = 64,
        optimizer: str = "sgd",
        momentum: float = 0.0,
        nesterov: bool = False,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        drop_last: bool = False,
        label_smoothing: float = 0.0,
        evaluation_statistics: str = "running",
        weight_averaging: str = "none",
        averaging_decay: float = 0.999,
    ) -> None: ...

class EnsembleEpoch:
    """What was measured in one epoch of a trial."""

    @property
    def train_loss(self) -> float: ...
    @property
    def test_loss(self) -> float: ...
    @property
    def test_accuracy(self) -> float: ...
    @property
    def train_seconds(self) -> float: ...
    @property
    def eval_seconds(self) -> float: ...

class EnsembleResult:
    """What became of a trial; `parameters` after the last epoch, None unless completed."""

    @property
    def status(self) -> Literal["completed", "failed", "stopped"]: ...
    @property
    def reason(self) -> str: ...
    @property
    def epochs(self) -> list[EnsembleEpoch]: ...
    @property
    def parameters(self) -> NDArray[np.float32] | None: ...

def train_ensemble(
    train_inputs: NDArray[np.uint8] | NDArray[np.float32],
    train_labels: NDArray[np.integer],
    test_inputs: NDArray[np.uint8] | NDArray[np.float32],
    test_labels: NDArray[np.integer],
    num_classes: int,
    trials: Sequence[EnsembleTrial],
    threads: int = 1,
    on_epoch: Callable[[int, EnsembleEpoch], None] | None = None,
    on_trial: Callable[[int, EnsembleResult], None] | None = None,
    instruction_set: str = "",
) -> list[EnsembleResult]:
    """Train every trial on inputs of shape `(N, ...)`, flattened, on the CPU.

    Inputs are float32, or uint8 and divided by 255; labels are whole numbers from 0.
    The callbacks are called by this thread as the training goes on; what they raise stops it, as
    Ctrl-C does, and is raised from here. Other Python threads run meanwhile. A trial's results do
    not depend on the other trials, nor on the number of threads. Returns one result per trial, or
    none if `on_trial` takes them. Raises `DataError` or `UsageError`.
    """

def train_in_float64(
    train_inputs: NDArray[np.uint8] | NDArray[np.float32],
    train_labels: NDArray[np.integer],
    test_inputs: NDArray[np.uint8] | NDArray[np.float32],
    test_labels: NDArray[np.integer],
    num_classes: int,
    trial: EnsembleTrial,
    parameters: NDArray[np.float64],
    instruction_set: str = "",
) -> tuple[list[EnsembleEpoch], NDArray[np.float64]]:
    """Train one trial in float64, by the code that trains in float32: slow, but nearly exact.

    `parameters` take the place of the trial's own. Returns the epochs, and the parameters after the
    last. Raises `ValueError` with the reason if the trial fails.
    """

def draw_batch_orders(
    random_state: bytes, num_inputs: int, epochs: int
) -> tuple[NDArray[np.int64], bytes]:
    """The orders in which a trial sees the training inputs, and the random state afterwards."""

def ensemble_arithmetic(instruction_set: str = "") -> str:
    """How `train_ensemble` computes: the instruction set, and how products are added."""

def ensemble_instruction_sets() -> list[str]:
    """Those that `train_ensemble` can use here, the one it takes by default first."""
