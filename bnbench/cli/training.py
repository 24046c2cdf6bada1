"""What ``bnbench run`` does once its options are read: the run of a study, or those of a series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnbench.cli.report import show_report, show_series_report
from bnbench.cli.verify import show_verdict, verify_models
from bnbench.errors import RunError
from bnbench.machine import stop_spinning
from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.series import SeriesSpec, create_series, is_series, open_runs, read_series
from bnbench.specs import EXPLORING, REFERENCE_ENGINE, StudySpec
from bnbench.store import RunStore
from bnbench.training.catalog import check_against_data
from bnbench.training.executors import EXECUTORS

if TYPE_CHECKING:
    from bnbench.data import Dataset
    from bnbench.training.earlier import EarlierTrials
    from bnbench.training.executors.interface import Executor

TRIAL_FAILED_EXIT_CODE = 1


@dataclass(frozen=True)
class Job:
    """The runs that one call works on."""

    folder: Path
    """Folder of the run, or of the series."""
    asked: StudySpec | SeriesSpec | None
    """What a new run or series is made of; None resumes what is in the folder."""
    data_dir: Path | None
    executor_name: str
    address: str | None
    """The Ray cluster to join."""

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


def train(job: Job) -> int:
    """Start or open the runs of a job and complete them; return the exit code."""
    stop_spinning()
    # Torch is imported here, so that mistakes in the options are answered at once.
    import torch

    from bnbench.data import load_fashion_mnist
    from bnbench.environment import describe_environment
    from bnbench.models.runtimes.libtorch import find_binary
    from bnbench.training.engines import choose_threads, resolve_engines

    studies = job.studies
    engines = [resolve_engines(study) for study in studies]
    # The options for devices and threads hold for all studies of a series.
    devices, threads = studies[0].devices, studies[0].threads
    torch.set_num_threads(choose_threads(REFERENCE_ENGINE, threads))
    environment = describe_environment(devices, choose_threads("native", threads))
    stores = open_runs(job.folder) if job.asked is None else []
    for store in stores:
        _require_same(store, environment)
    if not stores:
        find_binary()
    dataset = load_fashion_mnist(job.data_dir)
    for study in studies:
        check_against_data(study, len(dataset.train))
    with EXECUTORS[job.executor_name].open(job.address, threads) as executor:
        data = dataset.describe()
        if isinstance(job.asked, SeriesSpec):
            stores = create_series(job.folder, job.asked, engines, data, environment)
        elif job.asked is not None:
            run = RunStore.create(job.folder, job.asked, engines[0], data, environment)
            return _complete_run(run, dataset, executor)
        if is_series(job.folder):
            return _complete_series(job.folder, stores, dataset, executor)
        return _complete_run(stores[0], dataset, executor)


def _require_same(store: RunStore, environment: EnvironmentRecord) -> None:
    if differences := store.environment.list_differences(environment):
        raise RunError(
            f"{store.folder}: expected the machine and software the run started with, got that "
            f"{'; '.join(differences)}; start a new run, so that no results are mixed"
        )


def _complete_run(store: RunStore, dataset: Dataset, executor: Executor) -> int:
    """Run a run's missing trials, verify its models, write its report; return the exit code."""
    click.echo(f"Run folder: {store.folder}; engine: {_name_engines(store)}", err=True)
    records = _run_trials(store, dataset, executor)
    verifications = verify_models(store, records, dataset) if _list_finished(records) else []
    show_report(store, records)
    return show_verdict(verifications) or _show_failures(records)


def _complete_series(
    folder: Path, stores: list[RunStore], dataset: Dataset, executor: Executor
) -> int:
    """Complete the runs of a series one after the other and write the page that leads them."""
    from bnbench.reporting.report import write_report
    from bnbench.training.earlier import EarlierTrials

    series, earlier = read_series(folder), EarlierTrials()
    click.echo(f"Series folder: {folder}", err=True)
    codes = []
    for number, store in enumerate(stores, start=1):
        name = store.folder.name
        place = f"{number}/{len(stores)}"
        click.echo(f"[{place}] {name}; engine: {_name_engines(store)}", err=True)
        is_verified = name in series.verified
        was_complete = _is_up_to_date(store, "summary.json")
        was_verified = not is_verified or _is_up_to_date(store, "verification.csv")
        num_before = len(store.read_trials())
        records = _run_trials(store, dataset, executor, f"{place} {name}, ", earlier)
        earlier.add(store)
        is_new = len(records) > num_before
        if is_verified and _list_finished(records) and (is_new or not was_verified):
            codes.append(show_verdict(verify_models(store, records, dataset)))
        if is_new or not (was_complete and was_verified):
            headline = write_report(store, records).answer[0]
        else:
            headline = "finished before"
        click.echo(f"[{place}] {name}: {headline}")
        codes.append(_show_failures(records))
    show_series_report(folder)
    return max(codes)


def _run_trials(
    store: RunStore,
    dataset: Dataset,
    executor: Executor,
    place: str = "",
    earlier: EarlierTrials | None = None,
) -> list[TrialRecord]:
    from rich.console import Console

    from bnbench.cli.progress import show_study
    from bnbench.training.study import run_study

    with show_study(Console(stderr=True), place) as progress:
        return run_study(store, dataset, progress, executor, earlier)


def _is_up_to_date(store: RunStore, name: str) -> bool:
    """Whether a file of a run was written after its last trial."""
    path, trials = store.folder / name, store.folder / "trials.jsonl"
    return path.exists() and path.stat().st_mtime_ns >= trials.stat().st_mtime_ns


def _list_finished(records: list[TrialRecord]) -> list[TrialRecord]:
    return [r for r in records if r.status == "finished" and r.trial.purpose == "score"]


def _show_failures(records: list[TrialRecord]) -> int:
    """Name each trial that failed without being tuned; return the exit code."""
    failed = [r for r in records if r.status == "failed" and r.trial.purpose not in EXPLORING]
    for record in failed:
        click.echo(f"failed: {record.trial.key}: {record.reason}", err=True)
    return TRIAL_FAILED_EXIT_CODE if failed else 0


def _name_engines(store: RunStore) -> str:
    return ", ".join(f"{engine} on {device}" for device, engine in store.engines.items())
