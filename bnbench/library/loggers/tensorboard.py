"""TensorBoard: event files below the run's folder; ``tensorboard --logdir RUN/tensorboard``."""

from __future__ import annotations

import io

from matplotlib.image import imread
from torch.utils.tensorboard import SummaryWriter

from bnbench.library.loggers.observer import list_values
from bnbench.records import EpochRecord, TrialRecord
from bnbench.reporting.report import Report
from bnbench.specs import TrialSpec
from bnbench.store import RunStore


class TensorBoardLogger:
    """Each trial is a run of TensorBoard; answer and figures are in the run ``report``."""

    def __init__(self) -> None:
        self._writers: dict[str, SummaryWriter] = {}

    def open(self, store: RunStore) -> None:
        """Log below the run's folder."""
        self._folder = store.folder / "tensorboard"
        self._folder.mkdir(exist_ok=True)

    def log_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Write the epoch's values."""
        if trial.key not in self._writers:
            self._writers[trial.key] = SummaryWriter(str(self._folder / trial.key))
        writer = self._writers[trial.key]
        for name, value in list_values(epoch).items():
            writer.add_scalar(name, value, epoch.epoch)
        writer.flush()

    def end_trial(self, record: TrialRecord) -> None:
        """Close the trial's file."""
        writer = self._writers.pop(record.trial.key, None)
        if writer is not None:
            writer.close()

    def log_report(self, store: RunStore, report: Report) -> None:  # noqa: ARG002
        """Write the answer as text and each figure as an image."""
        with SummaryWriter(str(self._folder / "report")) as writer:
            writer.add_text("answer", "\n\n".join(report.content.answer))
            for name, figure in report.figures.items():
                writer.add_image(name, imread(io.BytesIO(figure.png)), dataformats="HWC")

    def close(self) -> None:
        """Close the files of trials that have not ended."""
        while self._writers:
            self._writers.popitem()[1].close()
