"""What the runner asks of a peer, whichever library it is written for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bnbench.recipes import RecipeSpec
from bnbench.specs import VariantSpec


@dataclass(frozen=True)
class TrainingJob:
    """What a peer trains."""

    variant: VariantSpec
    """The network: linear layers with ReLU between them, with or without batch normalization."""
    recipe: RecipeSpec
    """Batch size and learning rate of plain SGD; the runner decides the number of epochs."""
    num_trials: int
    """Trials trained at once, with the seeds 0, 1, 2, ...; at least 1."""
    way: str
    """Which of the module's ways to train is meant; may be empty."""
    data_dir: Path
    """Folder with the four files of FashionMNIST."""


class Trainer(NamedTuple):
    """Trials that go on from call to call. ``make_trainer(job)`` of a peer's module returns one."""

    train_epoch: Callable[[], float]
    """Train every trial for one epoch, in a new order of the images.

    Returns the wall-clock seconds of all trials together, without evaluation.
    """
    measure_accuracies: Callable[[], list[float]]
    """Return each trial's fraction of correct test images; empty if nothing is trained."""
