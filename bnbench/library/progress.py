"""The progress of a study and of a verification: a live bar, and a line per trial."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.text import Text

from bnbench.library.bar import LiveBar, find_display, show_in_notebook, show_in_terminal
from bnbench.library.observer import CompletedRun, Place, RunObserver
from bnbench.records import EpochRecord, TrialRecord
from bnbench.reporting.wording import format_count, shorten_name
from bnbench.specs import EXPLORING, TrialSpec
from bnbench.store import RunStore

SHORTEST_NAME = 8


class StudyProgress:
    """Shows trial, epoch, accuracy and the time left.

    Args:
        bar: where it is shown.
        place: what comes before the name of each stage, for instance the study of a series.
    """

    def __init__(self, bar: LiveBar, place: str = "") -> None:
        self._place = place
        self._stage = ""
        self._num_trials = 0
        self._ended_trials = 0
        self._bar = bar

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """Show which stage begins and how much work it has."""
        self._stage = f"{self._place}{name}"
        self._num_trials, self._ended_trials = num_trials, 0
        self._bar.restart(self._stage, num_epochs)

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Show the epoch that ended last."""
        self._bar.advance()
        place = f"{self._stage} {self._ended_trials + 1}/{self._num_trials}: "
        details = [f"epoch {epoch.epoch}", f"accuracy {epoch.test_accuracy:.2%}"]
        self._bar.headline = _fit(place, trial, [*_describe_stage(trial), *details], self._bar)

    def finish_trial(self, record: TrialRecord) -> None:
        """Print a line for the trial, above the bar if there is one."""
        self._ended_trials += 1
        self._bar.advance(record.trial.recipe.epochs - len(record.epochs))
        place = f"[{self._stage} {self._ended_trials}/{self._num_trials}] "
        self._bar.print_line(_fit(place, record.trial, _describe_outcome(record), self._bar))


def _describe_stage(trial: TrialSpec) -> list[str]:
    """What tells a trial from the others of its name in its stage."""
    if trial.purpose in EXPLORING:
        return [f"learning rate {trial.recipe.learning_rate:g}"]
    return [f"{trial.engine} engine"] if trial.purpose == "time" else []


def _describe_outcome(record: TrialRecord) -> list[str]:
    trial = record.trial
    if record.status == "failed":
        return [*_describe_stage(trial), f"failed: {record.reason}"]
    last = record.epochs[-1]
    seconds = sum(epoch.train_seconds for epoch in record.epochs) / len(record.epochs)
    accuracy = [f"accuracy {last.test_accuracy:.2%}"] if trial.purpose != "time" else []
    duration = f"{format_count(last.epoch, 'epoch')} of {seconds:.2f} s"
    return [*_describe_stage(trial), *accuracy, duration]


def _fit(place: str, trial: TrialSpec, details: Sequence[str], bar: LiveBar) -> str:
    """Compose a line that fits: without its last details first, then with a shorter name."""
    variant = trial.variant.name
    seed = trial.key.removeprefix(variant)
    kept = list(details)

    def compose() -> str:
        return f"{place}{variant}{seed}: {', '.join(kept)}"

    if bar.width is None:
        return compose()
    shortest = max(SHORTEST_NAME, bar.width // 5)
    if len(compose()) > bar.width and len(variant) > shortest:
        variant = shorten_name(variant, max(shortest, len(variant) + bar.width - len(compose())))
    while len(compose()) > bar.width and len(kept) > 1:
        del kept[-1]
    text = Text(compose())
    text.truncate(bar.width, overflow="ellipsis")
    return text.plain


class Progress(RunObserver):
    """Shows the progress of runs.

    Args:
        show: makes a bar for what is counted, such as ``epoch``, and shows it.
    """

    def __init__(self, show: Callable[[str], AbstractContextManager[LiveBar]]) -> None:
        self._show = show
        self._place = ""
        self._study: StudyProgress | None = None
        self._models: LiveBar | None = None
        self._shown = contextlib.ExitStack()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away; an error leaves it where it was."""
        self._shown.__exit__(kind, error, trace)

    def start_run(self, store: RunStore, place: Place | None) -> None:
        """Name the run in what is shown, if it is one of several."""
        self._place = "" if place is None else f"{place} {store.folder.name}, "

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """Show a stage."""
        if self._study is None:
            bar = self._shown.enter_context(self._show("epoch"))
            self._study = StudyProgress(bar, self._place)
        self._study.start_stage(name, num_trials, num_epochs)

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Show the epoch."""
        if self._study is not None:
            self._study.finish_epoch(trial, epoch)

    def finish_trial(self, record: TrialRecord) -> None:
        """Print the trial."""
        if self._study is not None:
            self._study.finish_trial(record)

    def start_models(self, num_models: int) -> None:
        """Show the verification."""
        self._close()
        self._models = self._shown.enter_context(self._show("model"))
        self._models.restart("verifying", num_models)

    def finish_model(self, name: str) -> None:  # noqa: ARG002
        """Count the model."""
        if self._models is not None:
            self._models.advance()

    def finish_run(self, run: CompletedRun) -> None:  # noqa: ARG002
        """Take the bar away."""
        self._close()

    def _close(self) -> None:
        self._study = self._models = None
        self._shown.close()


def show_progress() -> Progress:
    """Show progress below a notebook's cell, on a terminal, or as lines on standard error."""
    display = find_display()
    if display is not None:
        return Progress(functools.partial(show_in_notebook, display))
    return Progress(functools.partial(show_in_terminal, Console(stderr=True)))
