"""What a logger must do, and the observer that has it do so.

A logger that fails once the run has begun is left out from then on, with a warning: the results
are in the run's folder anyway.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from bnbench.errors import RunError
from bnbench.library.observer import CompletedRun, Place, RunObserver
from bnbench.records import EpochRecord, TrialRecord
from bnbench.reporting.report import Report
from bnbench.specs import TrialSpec
from bnbench.store import RunStore

LONGEST_REASON = 200
"""Characters of another package's error that are passed on."""


class Logger(Protocol):
    """Shows the curves of scored trials while they are trained, then the answer and the figures."""

    def open(self, store: RunStore) -> None:
        """Take the run whose trials follow; the one before has ended."""

    def log_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Take an epoch of a scored trial; several trials can be under way."""

    def end_trial(self, record: TrialRecord) -> None:
        """Take a scored trial that has ended, finished or failed."""

    def log_report(self, store: RunStore, report: Report) -> None:
        """Take the answer and the figures; their files lie in the run's folder."""

    def close(self) -> None:
        """End what is under way; the program may have been interrupted."""


def list_values(epoch: EpochRecord) -> dict[str, float]:
    """The values of an epoch, under names that group them: losses, accuracy in [0, 1], seconds."""
    return {
        "loss/train": epoch.train_loss,
        "loss/test": epoch.test_loss,
        "accuracy/test": epoch.test_accuracy,
        "seconds/train": epoch.train_seconds,
    }


def list_settings(trial: TrialSpec) -> dict[str, str | int | float]:
    """What tells a trial from others, for a logger's table of runs."""
    return {
        "variant": trial.variant.name,
        "seed": trial.seed,
        "device": trial.device,
        "engine": trial.engine,
        "optimizer": str(trial.recipe.optimizer),
        "learning_rate": trial.recipe.learning_rate,
        "schedule": trial.recipe.schedule,
        "batch_size": trial.recipe.batch_size,
        "epochs": trial.recipe.epochs,
    }


class LoggingObserver(RunObserver):
    """Passes runs on to a logger."""

    def __init__(self, name: str, logger: Logger) -> None:
        self.name = name
        self._logger = logger
        self._works = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what is under way."""
        self._try(self._logger.close)

    def start_run(self, store: RunStore, place: Place | None) -> None:  # noqa: ARG002
        """Open the logger for a run.

        Raises:
            RunError: it cannot be opened; nothing has been trained since.
        """
        if self._works:
            try:
                self._logger.open(store)
            except Exception as error:
                self._works = False
                raise RunError(
                    f"{self.name}: expected it to take the run {store.folder}, got "
                    f"{_describe(error)}; set it up, or go on with --resume and without --log"
                ) from error

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Log the epoch."""
        if trial.purpose == "score":
            self._try(self._logger.log_epoch, trial, epoch)

    def finish_trial(self, record: TrialRecord) -> None:
        """End the trial."""
        if record.trial.purpose == "score":
            self._try(self._logger.end_trial, record)

    def finish_run(self, run: CompletedRun) -> None:
        """Log the report, if there is a new one."""
        if run.report is not None:
            self._try(self._logger.log_report, run.store, run.report)

    def _try(self, call: Callable[..., None], *arguments: object) -> None:
        if self._works:
            try:
                call(*arguments)
            except Exception as error:
                self._works = False
                text = f"{self.name} failed, and the run goes on without it: {_describe(error)}"
                warnings.warn(text, stacklevel=2)


def _describe(error: Exception) -> str:
    text = " ".join(str(error).split())[:LONGEST_REASON]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
