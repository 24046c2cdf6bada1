"""The interface of an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec


@dataclass(frozen=True)
class TrainedTrial:
    """A trial that ended: its record and, if it finished, the trained weights."""

    record: TrialRecord
    state: dict[str, torch.Tensor] | None
    """The network's ``state_dict`` on the CPU; None if the trial failed."""


EpochObserver = Callable[[TrialSpec, EpochRecord], None]
"""Called after each epoch, to show progress."""
TrialReceiver = Callable[[TrainedTrial], None]
"""Called with each trial as soon as it has ended, finished or failed."""


class Engine(Protocol):
    """Trains trials on the data set it was made with."""

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        """Train `trials` and pass each to `on_trial` when it ends, in any order.

        A trial's failure is recorded, not raised. An error raised by `on_epoch` or `on_trial`, and
        an interruption, stops the training and is raised.
        """
        ...


def train_all(engine: Engine, trials: Sequence[TrialSpec]) -> list[TrainedTrial]:
    """Train `trials` and return them in their order."""
    ended: dict[TrialSpec, TrainedTrial] = {}
    engine.train(
        trials,
        lambda _trial, _epoch: None,
        lambda trained: ended.update({trained.record.trial: trained}),
    )
    return [ended[trial] for trial in trials]
