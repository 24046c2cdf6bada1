"""MLflow: an experiment for each run, at the server or folder of ``MLFLOW_TRACKING_URI``."""

from __future__ import annotations

from mlflow.tracking import MlflowClient

from bnbench.library.loggers.observer import list_settings, list_values
from bnbench.records import EpochRecord, TrialRecord
from bnbench.reporting.report import Report
from bnbench.specs import TrialSpec
from bnbench.store import RunStore

FOLDER_TAG = "bnbench.folder"


class MlflowLogger:
    """Each trial is a run of MLflow; answer and figures are artifacts of the run ``report``."""

    def __init__(self) -> None:
        self._runs: dict[str, str] = {}

    def open(self, store: RunStore) -> None:
        """Make the experiment, or find it if the run goes on."""
        self._client = MlflowClient()
        self._tags = {FOLDER_TAG: str(store.folder.resolve())}
        name = f"bnbench/{store.folder.resolve().name}"
        found = self._client.get_experiment_by_name(name)
        self._experiment = (
            self._client.create_experiment(name) if found is None else found.experiment_id
        )

    def log_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Log the epoch's values; the step is the epoch."""
        if trial.key not in self._runs:
            self._runs[trial.key] = self._start(trial.key)
            for name, setting in list_settings(trial).items():
                self._client.log_param(self._runs[trial.key], name, setting)
        for name, value in list_values(epoch).items():
            self._client.log_metric(self._runs[trial.key], name, value, step=epoch.epoch)

    def end_trial(self, record: TrialRecord) -> None:
        """End the trial's run."""
        run = self._runs.pop(record.trial.key, None)
        if run is not None:
            status = "FINISHED" if record.status == "finished" else "FAILED"
            self._client.set_terminated(run, status)

    def log_report(self, store: RunStore, report: Report) -> None:
        """Log the page and each figure, and the answer as the run's description."""
        run = self._start("report")
        self._client.set_tag(run, "mlflow.note.content", "\n\n".join(report.content.answer))
        for name in ("report.html", *(f"{figure}.png" for figure in report.figures)):
            self._client.log_artifact(run, str(store.folder / name))
        self._client.set_terminated(run, "FINISHED")

    def close(self) -> None:
        """End the runs of trials that have not ended."""
        while self._runs:
            self._client.set_terminated(self._runs.popitem()[1], "KILLED")

    def _start(self, name: str) -> str:
        run = self._client.create_run(self._experiment, tags=self._tags, run_name=name)
        started: str = run.info.run_id
        return started
