"""What a study asks of an engine, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec

EpochObserver = Callable[[TrialSpec, EpochRecord], None]
"""Called after each epoch, so that a person can watch."""


@dataclass(frozen=True)
class TrainedTrial:
    """A trial that ended: its record and, where it finished, the trained weights."""

    record: TrialRecord
    state: dict[str, torch.Tensor] | None
    """The network's ``state_dict`` on the CPU; None where the trial failed."""


class Engine(Protocol):
    """Trains trials on the data set it was made with."""

    def train(self, trials: Sequence[TrialSpec], on_epoch: EpochObserver) -> Iterator[TrainedTrial]:
        """Train `trials` and yield each as soon as it is finished or failed.

        A trial's failure is recorded, not raised. Closing the iterator stops the training.
        """
        ...
