"""The interface of an executor, and the export of a trial that has ended."""

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
    """Exported model and manifest by file name, in the order to write them; empty if the trial
    failed or was not a scored one."""
    environment: EnvironmentRecord | None = None
    """Environment of the record's node; None for the process that runs the study."""


CompletedReceiver = Callable[[CompletedTrial], None]
"""Called with each trial as soon as it has ended and was exported."""


class Executor(Protocol):
    """Runs trials."""

    def run(
        self,
        trials: Sequence[TrialSpec],
        dataset: Dataset,
        on_epoch: EpochObserver,
        receive: CompletedReceiver,
        *,
        one_at_a_time: bool,
    ) -> None:
        """Run `trials` and pass each to `receive` when it has ended, finished or failed.

        An error raised by `on_epoch` or `receive`, and an interruption, stops the work and is
        raised.

        Args:
            trials: trials of one study.
            dataset: what is trained on and evaluated with.
            on_epoch: called with each epoch; on a cluster, after the trial has ended.
            receive: called with each trial, in any order.
            one_at_a_time: whether to run the trials in the order given, each alone on its machine,
                so that they can be timed.
        """
        ...


def complete(trained: TrainedTrial, dataset: Dataset) -> CompletedTrial:
    """Export a trial that has ended, if it was a scored one and finished."""
    record = trained.record
    if trained.state is None or record.trial.purpose != "score":
        return CompletedTrial(record)
    files = make_model_files(record, trained.state, dataset.name, dataset.test, dataset.shape)
    return CompletedTrial(record, files)
