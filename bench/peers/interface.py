"""What the measurement asks of a peer, whichever library it is written for.

A peer is a module with a function ``make_trainer(job: TrainingJob) -> Trainer``, called once a
variant. The module is imported in the peer's own process alone, so that what is not installed
costs one row and not the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bnbench.specs import RecipeSpec, VariantSpec


@dataclass(frozen=True)
class TrainingJob:
    """What a peer is to train."""

    variant: VariantSpec
    """The network."""
    recipe: RecipeSpec
    """How it is trained; its number of epochs says nothing here."""
    num_trials: int
    """Trials trained at once, with seeds 0, 1, 2, ...; at least 1."""
    flavor: str
    """Which of a module's ways to train is meant, such as Keras's backend; may be empty."""
    data_dir: Path
    """Folder with FashionMNIST, decompressed, in torchvision's layout."""


class Trainer(Protocol):
    """Trials under way. They go on from call to call; nothing is trained before the first."""

    def train_epochs(self, num_epochs: int) -> float:
        """Train every trial for `num_epochs` more epochs, each in a new order of the images.

        Returns:
            Wall-clock seconds of the training of all trials together, evaluation not counted.
        """
        ...

    def measure_accuracies(self) -> list[float]:
        """Evaluate every trial on the test images, after all its epochs so far.

        Returns:
            Fraction of the test images classified correctly, one a trial; empty if the peer is
            no training.
        """
        ...
