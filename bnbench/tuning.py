"""The learning rate of each variant: chosen from its tuning trials alone, and looked up later."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bnbench.records import ChosenRateRecord, TrialRecord
from bnbench.specs import StudySpec
from bnbench.stats import choose_learning_rate, list_alternates
from bnbench.store import RunStore
from bnbench.tables import Matrix, Vector, tabulate_tuning

HALF_OCTAVE = math.sqrt(2.0)
BOOTSTRAP_SEED = 20_260_101
"""Fixed, so that a run's tuning trials always give the same alternates."""

Key = tuple[str, str]
"""A variant's name and a device."""


def choose_rates(study: StudySpec, records: Sequence[TrialRecord]) -> tuple[ChosenRateRecord, ...]:
    """Choose the rate of highest mean validation accuracy for each variant and device.

    Args:
        study: a study, with tuning or without.
        records: its trials; all but the tuning trials are ignored.

    Returns:
        One record per variant and device, except where every tuning trial failed; empty without
        tuning.
    """
    chosen = []
    for (variant, device), (rates, accuracy) in _tabulate_all(study, records).items():
        best = choose_learning_rate(rates, accuracy)
        if best is not None and study.tuning is not None:
            generator = np.random.default_rng(BOOTSTRAP_SEED)
            others = list_alternates(rates, accuracy, study.tuning.max_alternates, generator)
            chosen.append(ChosenRateRecord(variant, device, best, others))
    return tuple(chosen)


def list_finer_rates(
    study: StudySpec, records: Sequence[TrialRecord]
) -> dict[Key, tuple[float, ...]]:
    """List the rates half an octave beside the best of the grid, by variant and device.

    Empty if the study does not refine; the arguments are those of `choose_rates`.
    """
    tuning = study.tuning
    if tuning is None or not tuning.refine:
        return {}
    of_grid = [r for r in records if r.trial.recipe.learning_rate in tuning.learning_rates]
    best = {
        key: choose_learning_rate(rates, accuracy)
        for key, (rates, accuracy) in _tabulate_all(study, of_grid).items()
    }
    return {
        key: tuple(
            finer
            for finer in (_round(rate / HALF_OCTAVE), _round(rate * HALF_OCTAVE))
            if finer not in tuning.learning_rates
        )
        for key, rate in best.items()
        if rate is not None
    }


def _round(rate: float) -> float:
    """Round to six digits, so that a rate reached from two sides is one rate."""
    return float(f"{rate:.6g}")


def _tabulate_all(
    study: StudySpec, records: Sequence[TrialRecord]
) -> dict[Key, tuple[Vector, Matrix]]:
    if study.tuning is None:
        return {}
    return {
        (variant.name, device): tabulate_tuning(study, records, variant.name, device)
        for device in study.devices
        for variant in study.variants
    }


def find_rates(store: RunStore, records: Sequence[TrialRecord]) -> tuple[ChosenRateRecord, ...]:
    """Return the rates a run's scored trials have.

    They are read from the run. Runs made before rates were stored get them from their tuning
    trials, by the same rule.

    Args:
        store: the run.
        records: its trials.
    """
    stored = store.read_rates()
    return choose_rates(store.study, records) if stored is None else stored
