"""Weights & Biases: a group for each run; ``WANDB_MODE=offline`` keeps it on this machine."""

from __future__ import annotations

from typing import Any

import wandb

from bnbench.library.loggers.observer import list_settings, list_values
from bnbench.records import EpochRecord, TrialRecord
from bnbench.reporting.report import Report
from bnbench.specs import TrialSpec
from bnbench.store import RunStore

PROJECT = "bnbench"
SETTINGS = {"console": "off", "silent": True}
"""It prints nothing, and leaves what bnbench prints alone."""


class WandbLogger:
    """Each trial is a run of the group; answer and figures are in the run ``report``.

    Group the runs by ``variant`` to see each variant's mean and deviation.
    """

    def __init__(self) -> None:
        self._runs: dict[str, Any] = {}

    def open(self, store: RunStore) -> None:
        """Start the run for the report, which also shows at once whether wandb is set up."""
        self._store = store
        self._report = self._start("report", "report", {"study": store.study.name})

    def log_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Log the epoch's values; the step is the epoch."""
        if trial.key not in self._runs:
            self._runs[trial.key] = self._start(trial.key, "trial", list_settings(trial))
        self._runs[trial.key].log(list_values(epoch), step=epoch.epoch)

    def end_trial(self, record: TrialRecord) -> None:
        """End the trial's run."""
        run = self._runs.pop(record.trial.key, None)
        if run is not None:
            run.finish(exit_code=0 if record.status == "finished" else 1)

    def log_report(self, store: RunStore, report: Report) -> None:
        """Log the figures as images, and the answer in the run's summary."""
        self._report.summary["answer"] = "\n\n".join(report.content.answer)
        self._report.log(
            {
                name: wandb.Image(str(store.folder / f"{name}.png"), caption=figure.alt)
                for name, figure in report.figures.items()
            }
        )
        self._report.finish()
        self._report = None

    def close(self) -> None:
        """End the runs of trials that have not ended, and that of the report."""
        while self._runs:
            self._runs.popitem()[1].finish(exit_code=1)
        if self._report is not None:
            self._report.finish()

    def _start(self, name: str, kind: str, settings: dict[str, Any]) -> Any:
        return wandb.init(
            project=PROJECT,
            group=self._store.folder.resolve().name,
            job_type=kind,
            name=name,
            config=settings,
            dir=str(self._store.folder),
            reinit="create_new",  # trials are under way at the same time
            settings=SETTINGS,
        )
