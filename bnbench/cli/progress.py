"""The progress of a study and of a verification: live bars on a terminal, else plain lines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec


class StudyProgress:
    """Shows trial, epoch, accuracy and the time left."""

    def __init__(self, bar: Progress) -> None:
        self._stage = ""
        self._num_trials = 0
        self._ended_trials = 0
        self._bar = bar
        self._task = bar.add_task("starting", total=None)

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """Show which stage begins and how much work it has."""
        self._stage, self._num_trials, self._ended_trials = name, num_trials, 0
        self._bar.reset(self._task, total=num_epochs, description=name)

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Show the epoch that ended last."""
        self._bar.update(
            self._task,
            advance=1,
            description=f"{self._stage} {self._ended_trials + 1}/{self._num_trials}: "
            f"{trial.key}, epoch {epoch.epoch}, accuracy {epoch.test_accuracy:.2%}",
        )

    def finish_trial(self, record: TrialRecord) -> None:
        """Print a line for the trial, above the bar if there is one."""
        self._ended_trials += 1
        self._bar.advance(self._task, record.trial.recipe.epochs - len(record.epochs))
        self._bar.console.print(
            f"[{self._stage} {self._ended_trials}/{self._num_trials}] {_describe_trial(record)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _describe_trial(record: TrialRecord) -> str:
    trial = record.trial
    if record.status == "failed":
        return f"{trial.key}: failed: {record.reason}"
    last = record.epochs[-1]
    seconds = sum(epoch.train_seconds for epoch in record.epochs) / len(record.epochs)
    rate = f"learning rate {trial.recipe.learning_rate:g}, " if trial.purpose == "tune" else ""
    return (
        f"{trial.key}: {rate}accuracy {last.test_accuracy:.2%} after {last.epoch} epochs, "
        f"{seconds:.2f} s per epoch"
    )


@contextlib.contextmanager
def show_study(console: Console) -> Iterator[StudyProgress]:
    """Show the progress of a study."""
    with _open_bar(console, "epochs") as bar:
        yield StudyProgress(bar)


@contextlib.contextmanager
def show_models(console: Console, num_models: int) -> Iterator[Callable[[str], None]]:
    """Show how many models are verified; yields the function to call after each."""
    with _open_bar(console, "models") as bar:
        task = bar.add_task("verifying", total=num_models)
        yield lambda _name: bar.advance(task)


@contextlib.contextmanager
def _open_bar(console: Console, unit: str) -> Iterator[Progress]:
    """Show a bar that counts units of work; it is disabled away from a terminal."""
    bar = Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        TextColumn(unit),
        console=console,
        disable=not console.is_terminal,
    )
    with contextlib.nullcontext() if bar.disable else bar:
        yield bar
