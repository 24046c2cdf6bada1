"""The progress of a study and of a verification: a live bar on a terminal, else plain lines."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bnbench.library.observer import CompletedRun, Place, RunObserver
from bnbench.records import EpochRecord, TrialRecord
from bnbench.reporting.wording import format_count, shorten_name
from bnbench.specs import EXPLORING, TrialSpec
from bnbench.store import RunStore

MARGIN = 3
"""Columns left free at the right: a line that filled them would wrap when Ctrl-C prints ``^C``."""
SHORTEST_NAME = 8
REFRESHES_PER_SECOND = 4


class LiveBar:
    """A headline, and below it a bar with what is done, the time elapsed and the time left.

    Args:
        console: where it is shown; nothing is shown away from a terminal.
        unit: the singular of what is counted, such as ``epoch``.
        read_seconds: a monotonic clock.
    """

    def __init__(
        self, console: Console, unit: str, read_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console
        self.headline = ""
        self._unit = unit
        self._read_seconds = read_seconds
        self.restart("starting", 0)

    def restart(self, headline: str, total: int) -> None:
        """Begin to count anew, up to `total`."""
        self.headline, self._total, self._done = headline, total, 0
        self._started = self._read_seconds()

    def advance(self, count: int = 1) -> None:
        """Count what is done."""
        self._done += count

    @property
    def width(self) -> int | None:
        """Columns that a line may fill; None away from a terminal."""
        return self.console.width - MARGIN if self.console.is_terminal else None

    def __rich__(self) -> RenderableType:
        width = self.console.width - MARGIN
        elapsed = self._read_seconds() - self._started
        counts = f"{self._done}/{format_count(self._total, self._unit)}"
        text = f"{counts}, elapsed {format_time(elapsed)}"
        if 0 < self._done < self._total:
            left = elapsed * (self._total - self._done) / self._done
            text += f", remaining about {format_time(left)}"
        headline = Text(self.headline, no_wrap=True, overflow="ellipsis")
        headline.truncate(width, overflow="ellipsis")
        if not self._total:
            return headline
        line = Table.grid(padding=(0, 1))
        bar_width = min(width - len(text) - 1, 40)
        cells: list[RenderableType] = [Text(text, no_wrap=True, overflow="ellipsis")]
        if bar_width >= SHORTEST_NAME:
            cells.insert(0, ProgressBar(self._total, self._done, width=bar_width))
        line.add_row(*cells)
        return Group(headline, line)


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
        self._bar.console.print(
            _fit(place, record.trial, _describe_outcome(record), self._bar),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


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


def format_time(seconds: float) -> str:
    """75 seconds as ``1:15``, and 3,675 as ``1:01:15``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class TerminalProgress(RunObserver):
    """Shows the progress of runs: a bar on a terminal, else a line per trial."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._place = ""
        self._study: StudyProgress | None = None
        self._models: Callable[[str], None] | None = None
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
            self._study = self._shown.enter_context(show_study(self._console, self._place))
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
        self._models = self._shown.enter_context(show_models(self._console, num_models))

    def finish_model(self, name: str) -> None:
        """Count the model."""
        if self._models is not None:
            self._models(name)

    def finish_run(self, run: CompletedRun) -> None:  # noqa: ARG002
        """Take the bar away."""
        self._close()

    def _close(self) -> None:
        self._study = self._models = None
        self._shown.close()


@contextlib.contextmanager
def show_study(console: Console, place: str = "") -> Iterator[StudyProgress]:
    """Show the progress of a study; `place` comes before the name of each stage."""
    with _show(LiveBar(console, "epoch")) as bar:
        yield StudyProgress(bar, place)


@contextlib.contextmanager
def show_models(console: Console, num_models: int) -> Iterator[Callable[[str], None]]:
    """Show how many models are verified; yields the function to call after each."""
    with _show(LiveBar(console, "model")) as bar:
        bar.restart("verifying", num_models)
        yield lambda _name: bar.advance()


@contextlib.contextmanager
def _show(bar: LiveBar) -> Iterator[LiveBar]:
    """Show a bar on a terminal; it goes when the work is done, and stays where it was stopped."""
    if not bar.console.is_terminal:
        yield bar
        return
    live = Live(
        bar, console=bar.console, refresh_per_second=REFRESHES_PER_SECOND, redirect_stdout=False
    )
    with live:
        yield bar
        live.transient = True
