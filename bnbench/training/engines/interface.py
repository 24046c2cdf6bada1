"""What a study asks of an engine, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec


@dataclass(frozen=True)
class TrainedTrial:
    """A trial that ended: its record and, where it finished, the trained weights."""

    record: TrialRecord
    state: dict[str, torch.Tensor] | None
    """The network's ``state_dict`` on the CPU; None where the trial failed."""


EpochObserver = Callable[[TrialSpec, EpochRecord], None]
"""Called after each epoch, so that a person can watch."""
TrialReceiver = Callable[[TrainedTrial], None]
"""Called with each trial as soon as it has ended, finished or failed."""


class Engine(Protocol):
    """Trains trials on the data set it was made with."""

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        """Train `trials` and hand over each when it ends, in whatever order they do.

        A trial's failure is recorded, not raised. What `on_epoch` and `on_trial` raise, and an
        interruption, stops the training and is raised from here.
        """
        ...


def train_all(engine: Engine, trials: Sequence[TrialSpec]) -> list[TrainedTrial]:
    """Train `trials` unwatched and return them in their order."""
    ended: dict[TrialSpec, TrainedTrial] = {}
    engine.train(
        trials,
        lambda _trial, _epoch: None,
        lambda trained: ended.update({trained.record.trial: trained}),
    )
    return [ended[trial] for trial in trials]
