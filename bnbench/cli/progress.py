"""How a study is watched: live bars on a terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec


class StudyProgress:
    """Shows trial, epoch, accuracy and the time left; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._num_trials = 0
        self._ended_trials = 0
        self._live: Progress | None = None
        self._task = TaskID(0)
        if console.is_terminal:
            self._live = Progress(
                TextColumn("[progress.description]{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("epochs"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=console,
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._task = self._live.add_task("starting", total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """Show what comes now and how much of it."""
        self._stage, self._num_trials, self._ended_trials = name, num_trials, 0
        if self._live is not None:
            self._live.reset(self._task, total=num_epochs, description=name)

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Show the epoch that ended last."""
        if self._live is not None:
            self._live.update(
                self._task,
                advance=1,
                description=f"{self._stage} {self._ended_trials + 1}/{self._num_trials}: "
                f"{trial.key}, epoch {epoch.epoch}, accuracy {epoch.test_accuracy:.2%}",
            )

    def finish_trial(self, record: TrialRecord) -> None:
        """Print a line for the trial, above the bars where there are any."""
        self._ended_trials += 1
        number = f"{self._stage} {self._ended_trials}/{self._num_trials}"
        if record.status == "failed":
            text = f"failed: {record.reason}"
            if self._live is not None:
                missing = record.trial.recipe.epochs - len(record.epochs)
                self._live.advance(self._task, missing)
        else:
            last = record.epochs[-1]
            seconds = sum(epoch.train_seconds for epoch in record.epochs) / len(record.epochs)
            text = (
                f"accuracy {last.test_accuracy:.2%} after {last.epoch} epochs, "
                f"{seconds:.2f} s an epoch"
            )
            if record.trial.purpose == "tune":
                text = f"learning rate {record.trial.recipe.learning_rate:g}, {text}"
        self._console.print(
            f"[{number}] {record.trial.key}: {text}", markup=False, highlight=False, soft_wrap=True
        )


@contextlib.contextmanager
def show_models(console: Console, num_models: int) -> Iterator[Callable[[str], None]]:
    """Show how many models are verified; yields what is to be called after each."""
    if not console.is_terminal:
        yield lambda name: None  # noqa: ARG005
        return
    with Progress(
        TextColumn("verifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("models, left"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("verifying", total=num_models)
        yield lambda name: progress.advance(task)  # noqa: ARG005
