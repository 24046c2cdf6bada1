"""What a study asks of an executor, wherever that runs the trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bnbench.data import Dataset
from bnbench.models.export import make_model_files
from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.specs import TrialSpec
from bnbench.training.engines.interface import EpochObserver, TrainedTrial


@dataclass(frozen=True)
class CompletedTrial:
    """A trial that ended, ready to be stored."""

    record: TrialRecord
    files: dict[str, bytes] = field(default_factory=dict)
    """The exported model and its manifest by name, in the order in which they are to be written;
    empty where the trial failed or was not a scored one."""
    environment: EnvironmentRecord | None = None
    """Of the record's node; None for the process that runs the study."""


CompletedReceiver = Callable[[CompletedTrial], None]
"""Called with each trial as soon as it has ended and was exported."""


class Executor(Protocol):
    """Runs trials, in whatever order and place."""

    def run(
        self,
        trials: Sequence[TrialSpec],
        dataset: Dataset,
        on_epoch: EpochObserver,
        receive: CompletedReceiver,
        *,
        one_at_a_time: bool,
    ) -> None:
        """Run `trials` and hand over each when it has ended.

        What `on_epoch` and `receive` raise, and an interruption, stops the work and is raised
        from here.

        Args:
            trials: of one study.
            dataset: what they are trained on and evaluated with.
            on_epoch: called with each epoch, so that a person can watch; where trials run
                elsewhere, when the trial has ended.
            receive: called with each trial, finished or failed, in any order.
            one_at_a_time: whether they are timed: one after the other, in the order given, each
                alone on its machine.
        """
        ...


def complete(trained: TrainedTrial, dataset: Dataset) -> CompletedTrial:
    """Export a trial that has ended, where there is something to export."""
    record = trained.record
    if trained.state is None or record.trial.purpose != "score":
        return CompletedTrial(record)
    return CompletedTrial(
        record, make_model_files(record, trained.state, dataset.name, dataset.test)
    )
