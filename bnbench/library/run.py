"""A run as an object: its epochs, its answer, its report and its models."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bnbench.data_names import resolve_data
from bnbench.errors import RunError
from bnbench.library.progress import show_progress
from bnbench.models.runtimes import DEFAULT_RUNTIMES
from bnbench.records import TrialRecord, VerificationRecord
from bnbench.reporting.html import render_fragment
from bnbench.reporting.markdown import render_markdown
from bnbench.reporting.report import Report, make_report, write_report
from bnbench.reporting.wording import format_count
from bnbench.series import is_series, read_series
from bnbench.specs import Purpose, StudySpec
from bnbench.store import RunStore
from bnbench.tables import make_epoch_frame

if TYPE_CHECKING:
    import pandas as pd

    from bnbench.data import Dataset


class Run:
    """A folder with a study's trials, models and report, read whenever it is asked for something.

    In Jupyter it shows its answer and its figures. `open_run` and `Study.run` make one.

    >>> import bnbench
    >>> import numpy as np
    >>> labels = np.tile([0, 1], 50)
    >>> inputs = np.eye(2, 4, dtype=np.float32)[labels]  # four features, two classes
    >>> np.savez("tiny.npz", x_train=inputs, y_train=labels, x_test=inputs, y_test=labels)
    >>> recipe = bnbench.Recipe(epochs=2, batch_size=10, learning_rate=0.5)
    >>> quick = bnbench.Timing(num_pairs=0)
    >>> study = bnbench.Study(["baseline"], data="tiny.npz", recipe=recipe, seeds=[3], timing=quick)
    >>> run = study.run("runs/tiny", progress=False)
    >>> run
    Run('runs/tiny': comparison, 1 scored trial finished)
    >>> run.epochs[["variant", "seed", "epoch", "test_accuracy"]]
        variant  seed  epoch  test_accuracy
    0  baseline     3      1            1.0
    1  baseline     3      2            1.0
    >>> print(run.answer.splitlines()[0])
    Nothing is compared: only the baseline has results, 100.0 % of test inputs right.
    >>> [verdict.status for verdict in run.models[0].verify(["eager", "torchscript"])]
    ['agreed', 'agreed']
    """

    def __init__(
        self, store: RunStore, data_dir: Path | None = None, data: str | None = None
    ) -> None:
        self._store = store
        self._data_dir = data_dir
        self._data = data or store.study.data
        self._report: tuple[object, Report] | None = None

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self._store.folder

    @property
    def study(self) -> StudySpec:
        """The study as it was asked for."""
        return self._store.study

    @property
    def trials(self) -> list[TrialRecord]:
        """All trials on record: tuned, scored and timed ones, finished or failed."""
        return self._store.read_trials()

    @property
    def epochs(self) -> pd.DataFrame:
        """The scored trials, one row per epoch; accuracies in [0, 1], times in seconds."""
        return self.read_epochs("score")

    def read_epochs(self, purpose: Purpose) -> pd.DataFrame:
        """Read the trials of a purpose, one row per epoch.

        Args:
            purpose: ``score``; or ``tune`` (accuracies on validation data), ``alternate`` (scored
                at a rate that tuning might have chosen), or ``time``.

        Returns:
            The columns of the trial (variant, learning_rate, seed, device, engine), of
            `EpochRecord` and the node; accuracies in [0, 1], times in seconds.
        """
        frame = make_epoch_frame(self.trials)
        return frame[frame["purpose"] == purpose].drop(columns="purpose").reset_index(drop=True)

    @property
    def answer(self) -> str:
        """The answer to the study's question, the headline first, in paragraphs."""
        return "\n\n".join(self._read_report().content.answer)

    def report(self) -> Path:
        """Write the report's files anew: pages, figures with their data, and tables.

        Returns:
            The path of the HTML page, which needs no other file.
        """
        self._keep(write_report(self._store, self.trials))
        return self.folder / "report.html"

    @property
    def models(self) -> tuple[Model, ...]:
        """The exported models of the finished scored trials, in the order of the trials."""
        return tuple(
            Model(self, record)
            for record in self.trials
            if record.status == "finished" and record.trial.purpose == "score"
        )

    def verify(self, runtimes: Sequence[str] = DEFAULT_RUNTIMES) -> list[VerificationRecord]:
        """Evaluate all models in several runtimes, compare each logit, and update the report.

        Args:
            runtimes: names of runtimes, such as ``eager``, ``torchscript`` and ``libtorch``.

        Returns:
            One verdict per model and runtime; its ``status`` is ``agreed`` or its ``reason`` says
            why not.

        Raises:
            RunError: no trial has finished.
            RuntimeUnavailableError: a runtime is not installed or does not work.
            DataError: the data set of the run cannot be found again.
        """
        from bnbench.library.verification import verify_models

        trials = self.trials
        with show_progress() as progress:
            verdicts = verify_models(self._store, trials, self._dataset, progress, runtimes)
        self._keep(write_report(self._store, trials))
        return verdicts

    @functools.cached_property
    def _dataset(self) -> Dataset:
        from bnbench.data_readers import load_data
        from bnbench.library.job import require_same_data

        dataset = load_data(self._data, self._data_dir)
        require_same_data(self._store, dataset.describe())
        return dataset

    def _read_report(self) -> Report:
        """Make the report, unless it was made and the folder has not changed since."""
        if self._report is None or self._report[0] != self._find_state():
            self._keep(make_report(self._store, self.trials))
        assert self._report is not None
        return self._report[1]

    def _keep(self, report: Report) -> None:
        self._report = (self._find_state(), report)

    def _find_state(self) -> object:
        """What changes when a run gets trials or verdicts."""
        names = ("trials.jsonl", "verification.csv", "inspection.json", "rates.json")
        paths = (self.folder / name for name in names)
        return [(path.stat().st_mtime_ns, path.stat().st_size) for path in paths if path.exists()]

    def __repr__(self) -> str:
        scored = [record for record in self.trials if record.trial.purpose == "score"]
        finished = sum(record.status == "finished" for record in scored)
        count = format_count(finished, "scored trial")
        return f"Run({str(self.folder)!r}: {self.study.name}, {count} finished)"

    def _repr_html_(self) -> str:
        """The answer and the figures, for Jupyter."""
        report = self._read_report()
        return render_fragment(report.content, report.figures)

    def _repr_markdown_(self) -> str:
        """The answer, for what shows no HTML."""
        content = dataclasses.replace(self._read_report().content, sections=())
        return render_markdown(content, {})


@dataclass(frozen=True, eq=False)
class Model:
    """An exported model of a run: a TorchScript file with its manifest."""

    run: Run
    record: TrialRecord
    """The trial that trained it."""

    @property
    def path(self) -> Path:
        """The ``.pt`` file; the manifest lies beside it."""
        from bnbench.models.exported_model import name_model_file

        return self.run.folder / "models" / name_model_file(self.record.trial)

    @property
    def variant(self) -> str:
        """The name of its variant."""
        return self.record.trial.variant.name

    @property
    def seed(self) -> int:
        """The seed of its trial."""
        return self.record.trial.seed

    @property
    def accuracy(self) -> float:
        """Fraction of the test set it classifies correctly, in [0, 1]."""
        return self.record.epochs[-1].test_accuracy

    def verify(self, runtimes: Sequence[str] = DEFAULT_RUNTIMES) -> list[VerificationRecord]:
        """Evaluate the model in several runtimes and compare each logit with binary64.

        Nothing is written; `Run.verify` verifies all models and updates the report.

        Args:
            runtimes: names of runtimes, such as ``eager``, ``torchscript`` and ``libtorch``.

        Returns:
            One verdict per runtime; its ``status`` is ``agreed`` or its ``reason`` says why not.

        Raises:
            RuntimeUnavailableError: a runtime is not installed or does not work.
            DataError: the data set of the run cannot be found again.
        """
        from bnbench.library.verification import verify_model

        return verify_model(self.path, self.variant, self.run._dataset, runtimes)

    def __repr__(self) -> str:
        return f"Model({self.path.name!r}: accuracy {self.accuracy:.2%})"


def open_run(
    folder: str | Path, data_dir: str | Path | None = None, data: str | Path | None = None
) -> Run:
    """Open the folder of a run.

    Args:
        folder: a run; for a series, a folder within it.
        data_dir: folder of FashionMNIST, to verify models; by default it is found.
        data: where the run's data are now; by default where they were.

    Raises:
        RunError: there is no run, or its format is not the one this version reads.
    """
    path = Path(folder)
    if is_series(path):
        names = ", ".join(str(path / name) for name in read_series(path).runs)
        raise RunError(f"{path}: expected a run, got a series; open one of its runs: {names}")
    return Run(
        RunStore.open(path),
        None if data_dir is None else Path(data_dir),
        None if data is None else resolve_data(str(data), Path()),
    )
