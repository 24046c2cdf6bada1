"""A job: the runs of a study or a series, from their first trial to their report.

The command line and `bnbench.Study` both work through `complete`; what they show is an observer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bnbench.errors import RunError
from bnbench.library.observer import CompletedRun, Place, RunObserver
from bnbench.machine import stop_spinning
from bnbench.own_source import require_unchanged
from bnbench.records import DataRecord, EnvironmentRecord, TrialRecord
from bnbench.series import SeriesSpec, create_series, is_series, open_runs, read_series
from bnbench.specs import REFERENCE_ENGINE, StudySpec
from bnbench.store import RunStore
from bnbench.training.catalog import check_against_data
from bnbench.training.executors import DEFAULT_EXECUTOR, EXECUTORS, check_executor

if TYPE_CHECKING:
    from bnbench.data import Dataset
    from bnbench.training.earlier import EarlierTrials
    from bnbench.training.executors.interface import Executor


@dataclass(frozen=True)
class Job:
    """The runs that one call works on."""

    folder: Path
    """Folder of the run, or of the series."""
    asked: StudySpec | SeriesSpec | None
    """What a new run or series is made of; None resumes what is in the folder."""
    data_dir: Path | None = None
    """Folder of FashionMNIST; None finds or fetches it."""
    data: str | None = None
    """Where the data are; None takes what the studies say."""
    executor_name: str = DEFAULT_EXECUTOR
    address: str | None = None
    """The Ray cluster to join."""
    redo_finished: bool = True
    """Whether a run without missing trials is verified and reported again; not in a series."""

    @property
    def studies(self) -> tuple[StudySpec, ...]:
        """The studies, in the order in which they run."""
        if isinstance(self.asked, SeriesSpec):
            return self.asked.studies
        if self.asked is not None:
            return (self.asked,)
        return tuple(store.study for store in open_runs(self.folder))

    @property
    def has_begun(self) -> bool:
        """Whether the folder can be resumed."""
        return is_series(self.folder) or (self.folder / "run.json").exists()

    def check(self) -> None:
        """Check, before torch is imported, that the executor can run the studies.

        Raises:
            SpecError: Ray is not installed, a device is missing, or two options exclude each other.
        """
        for study in self.studies:
            check_executor(self.executor_name, self.address, study)


def complete(job: Job, observer: RunObserver) -> list[CompletedRun]:
    """Start or open the runs of a job, run their missing trials, verify and report them.

    Torch's number of threads and its random state are afterwards what they were before.

    Args:
        job: the runs.
        observer: follows each run.

    Returns:
        The runs, in their order. A series has its page besides.

    Raises:
        SpecError: a study cannot be run as it is.
        DataError: the data set cannot be used.
        RunError: a run cannot be made, opened or resumed.
        RuntimeUnavailableError: ``bnbench-eval``, which verifies the models, is missing.
        KeyboardInterrupt: the user interrupted it; finished trials are saved.
    """
    stop_spinning()
    # Torch is imported here, so that mistakes in the options are answered at once.
    from bnbench.data_readers import load_data
    from bnbench.data_split import cut_validation_split
    from bnbench.environment import describe_environment
    from bnbench.models.runtimes.libtorch import find_binary
    from bnbench.training.engines import choose_threads, resolve_engines
    from bnbench.training.own_check import check_own_code, count_parameters

    studies = job.studies
    engines = [resolve_engines(study) for study in studies]
    # The options for devices and threads hold for all studies of a series.
    devices, threads = studies[0].devices, studies[0].threads
    with _borrow_torch(choose_threads(REFERENCE_ENGINE, threads)):
        environment = describe_environment(devices, choose_threads("native", threads))
        stores = open_runs(job.folder) if job.asked is None else []
        for store in stores:
            _require_same(store, environment)
        for study in studies:
            require_unchanged(study.own_codes)
        if not stores:
            find_binary()
        dataset = load_data(job.data or studies[0].data, job.data_dir)
        for store in stores:
            require_same_data(store, dataset.describe())
        for study in studies:
            if study.tuning is not None:
                cut_validation_split(dataset, study.tuning)  # refuses what can't be cut
            check_against_data(study, len(dataset.train))
            check_own_code(study, dataset)
        with EXECUTORS[job.executor_name].open(job.address, threads) as executor, observer:
            data = dataset.describe()
            counts = [count_parameters(study, dataset.shape) for study in studies]
            if isinstance(job.asked, SeriesSpec):
                stores = create_series(job.folder, job.asked, engines, data, environment, counts)
            elif job.asked is not None:
                run = RunStore.create(
                    job.folder, job.asked, engines[0], data, environment, counts[0]
                )
                stores = [run]
            if is_series(job.folder):
                return _complete_series(job.folder, stores, dataset, executor, observer)
            return [_complete_run(stores[0], dataset, executor, observer, job.redo_finished)]


@contextlib.contextmanager
def _borrow_torch(threads: int) -> Iterator[None]:
    """Give torch a number of threads, and what it had before when the work is done."""
    import torch

    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.set_num_threads(threads)
            yield
        finally:
            torch.set_num_threads(before)


def _require_same(store: RunStore, environment: EnvironmentRecord) -> None:
    if differences := store.environment.list_differences(environment):
        raise RunError(
            f"{store.folder}: expected the machine and software the run started with, got that "
            f"{'; '.join(differences)}; start a new run, so that no results are mixed"
        )


def require_same_data(store: RunStore, data: DataRecord) -> None:
    """Check that data are those that a run was made with.

    Raises:
        RunError: they are others.
    """
    if differences := store.data.list_differences(data):
        raise RunError(
            f"{store.folder}: expected the data that the run was made with, got that "
            f"{'; '.join(differences)}; restore {store.study.data} or say by --data where they are"
        )


def _complete_series(
    folder: Path,
    stores: list[RunStore],
    dataset: Dataset,
    executor: Executor,
    observer: RunObserver,
) -> list[CompletedRun]:
    """Complete the runs of a series one after the other and write the page that leads them."""
    from bnbench.reporting.series import write_series_report
    from bnbench.training.earlier import EarlierTrials

    earlier, verified = EarlierTrials(), read_series(folder).verified
    runs = []
    for number, store in enumerate(stores, start=1):
        place = Place(number, len(stores), store.folder.name in verified)
        runs.append(_complete_run(store, dataset, executor, observer, False, place, earlier))
        earlier.add(store)
    observer.finish_series(folder, write_series_report(folder))
    return runs


def _complete_run(
    store: RunStore,
    dataset: Dataset,
    executor: Executor,
    observer: RunObserver,
    redo: bool,
    place: Place | None = None,
    earlier: EarlierTrials | None = None,
) -> CompletedRun:
    """Run a run's missing trials, verify its models and write its report.

    What is newer than the last trial is done again only if `redo`.
    """
    from bnbench.library.verification import verify_models
    from bnbench.reporting.report import write_report
    from bnbench.training.study import run_study

    observer.start_run(store, place)
    is_verified = place is None or place.is_verified
    was_reported = not redo and _is_up_to_date(store, "summary.json")
    was_verified = not is_verified or (not redo and _is_up_to_date(store, "verification.csv"))
    num_before = len(store.read_trials())
    records = run_study(store, dataset, observer, executor, earlier)
    is_new = len(records) > num_before
    verifications = report = None
    if is_verified and _has_finished(records) and (is_new or not was_verified):
        verifications = verify_models(store, records, dataset, observer)
    if is_new or not (was_reported and was_verified):
        report = write_report(store, records)
    run = CompletedRun(store, records, report, verifications, place)
    observer.finish_run(run)
    return run


def _is_up_to_date(store: RunStore, name: str) -> bool:
    """Whether a file of a run was written after its last trial."""
    path, trials = store.folder / name, store.folder / "trials.jsonl"
    return path.exists() and path.stat().st_mtime_ns >= trials.stat().st_mtime_ns


def _has_finished(records: list[TrialRecord]) -> bool:
    """Whether there is a model to verify."""
    return any(r.status == "finished" and r.trial.purpose == "score" for r in records)
