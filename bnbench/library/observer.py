"""What follows a job: the progress, the lines of the command line, and the loggers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bnbench.records import EpochRecord, TrialRecord, VerificationRecord
from bnbench.specs import EXPLORING, TrialSpec
from bnbench.store import RunStore

if TYPE_CHECKING:
    from bnbench.reporting.report import Report


@dataclass(frozen=True)
class Place:
    """The place of a run in its series."""

    number: int
    """From 1."""
    total: int
    is_verified: bool
    """Whether its models are verified as soon as they are trained."""

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"


@dataclass(frozen=True, eq=False)
class CompletedRun:
    """A run whose trials have ended."""

    store: RunStore
    records: Sequence[TrialRecord]
    """All of its trials."""
    report: Report | None
    """What was written; None if it was up to date."""
    verifications: Sequence[VerificationRecord] | None
    """The verdicts on its models; None if none was verified now."""
    place: Place | None = None

    @property
    def failed(self) -> list[TrialRecord]:
        """Trials that failed without being tuned."""
        return [
            r for r in self.records if r.status == "failed" and r.trial.purpose not in EXPLORING
        ]


class RunObserver:
    """Follows runs from their start to their report; it cannot change the results.

    Each method does nothing here, so that an observer has only those it needs. An observer is
    entered before the first run and left after the last one, also by an error.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what is open."""

    def start_run(self, store: RunStore, place: Place | None) -> None:
        """Take a run that begins or goes on; `place` is its place in a series."""

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """Take the start of a stage, with the numbers of trials and epochs it has left to run."""

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Take an epoch that has ended."""

    def finish_trial(self, record: TrialRecord) -> None:
        """Take a trial that has ended and is saved."""

    def start_models(self, num_models: int) -> None:
        """Take the start of a verification, with the number of models."""

    def finish_model(self, name: str) -> None:
        """Take a model that is verified, by the name of its file."""

    def finish_run(self, run: CompletedRun) -> None:
        """Take a run that is complete and reported."""

    def finish_series(self, folder: Path, answer: str) -> None:
        """Take a series whose runs are complete, and the text of its page's answer."""


class Observers(RunObserver):
    """Several observers as one; each is called in the order given."""

    def __init__(self, observers: Iterable[RunObserver]) -> None:
        self._observers = tuple(observers)
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            for observer in self._observers:
                opening.enter_context(observer)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def start_run(self, store: RunStore, place: Place | None) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.start_run(store, place)

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.start_stage(name, num_trials, num_epochs)

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.finish_epoch(trial, epoch)

    def finish_trial(self, record: TrialRecord) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.finish_trial(record)

    def start_models(self, num_models: int) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.start_models(num_models)

    def finish_model(self, name: str) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.finish_model(name)

    def finish_run(self, run: CompletedRun) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.finish_run(run)

    def finish_series(self, folder: Path, answer: str) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.finish_series(folder, answer)
