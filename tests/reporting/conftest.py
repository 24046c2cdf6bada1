"""Runs made of invented trials, for what reads runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from bnbench.records import ChosenRateRecord, EnvironmentRecord, TrialRecord
from bnbench.reporting.content import ReportContent
from bnbench.reporting.report import write_report
from bnbench.reporting.summary import RunSummary, summarize_run
from bnbench.reporting.trials import RunTrials
from bnbench.specs import EngineName, StudySpec, TrialSpec
from bnbench.store import RunStore
from tests.conftest import SYNTHETIC, make_epochs

Accuracies = Callable[[TrialSpec], list[float] | None]
MakeRun = Callable[..., RunStore]


@pytest.fixture
def make_run(tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord) -> MakeRun:
    """Make a run whose trials reach what a function says; None is a trial that fails at once."""

    def make(
        accuracies: Accuracies,
        engine: EngineName = "reference",
        only: Callable[[TrialSpec], bool] = lambda trial: True,
        rates: dict[tuple[str, str], float] | None = None,
        **changes: object,
    ) -> RunStore:
        study = dataclasses.replace(small_study, **changes)  # type: ignore[arg-type]
        engines = dict.fromkeys(study.devices, engine)
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        store = RunStore.create(folder, study, engines, SYNTHETIC, environment)
        trials = (
            *study.list_tuning_trials(engines),
            *study.list_scored_trials(engines, rates),
            *study.list_timed_trials(engines),
        )
        if rates is not None:
            store.write_rates([ChosenRateRecord(*key, rate) for key, rate in rates.items()])
        with store.locked():
            for trial in filter(only, trials):
                reached = accuracies(trial)
                if reached is None:
                    record = TrialRecord(trial, "failed", (), "diverged: training loss is nan")
                else:
                    seconds = 1.2 if trial.variant.name == "batchnorm" else 1.0
                    epochs = make_epochs(reached[: trial.recipe.epochs], seconds)
                    record = TrialRecord(trial, "finished", epochs)
                store.append_trial(record)
        return store

    return make


def separate(trial: TrialSpec) -> list[float] | None:
    """Batch normalization is ahead by 20 points at every seed."""
    start = 0.7 if trial.variant.name == "batchnorm" else 0.5
    return [start + 0.001 * trial.seed % 0.01, start + 0.05 + 0.001 * (trial.seed % 10)]


def overlap(trial: TrialSpec) -> list[float] | None:
    """The two networks do equally well: one is ahead at even seeds, the other at odd ones."""
    ahead = (trial.seed % 2 == 0) == (trial.variant.name == "batchnorm")
    return [0.6, 0.8 + (0.01 if ahead else 0.0) + 0.0003 * (trial.seed % 7)]


def diverge(trial: TrialSpec) -> list[float] | None:
    """Batch normalization trains; nothing else does."""
    return separate(trial) if trial.variant.name == "batchnorm" else None


def read_trials(store: RunStore) -> RunTrials:
    """The trials of a run as a report reads them."""
    return RunTrials(store.study, store.data, tuple(store.read_trials()))


def summarize(store: RunStore) -> RunSummary:
    """Summarize all trials of a run."""
    return summarize_run(store, store.read_trials())


def report(store: RunStore) -> ReportContent:
    """Write the report of all trials of a run."""
    return write_report(store, store.read_trials()).content
