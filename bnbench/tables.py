"""Trials as tables: their epochs as a data frame, and the tuning of a variant as a matrix."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import Purpose, StudySpec

if TYPE_CHECKING:
    import pandas as pd

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]
EPOCH_FILES: dict[Purpose, str] = {
    "score": "epochs.csv",
    "tune": "tuning.csv",
    "alternate": "alternates.csv",
    "time": "timing.csv",
}
"""Where a run folder keeps the epochs of its trials, by their purpose."""


def make_epoch_frame(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """Lay trials out with one row per epoch: the trial, `EpochRecord`'s fields, the node."""
    import pandas as pd

    columns = ["purpose", "variant", "learning_rate", "seed", "device", "engine"]
    columns += [*(field.name for field in dataclasses.fields(EpochRecord)), "node"]
    rows = [
        (
            record.trial.purpose,
            record.trial.variant.name,
            record.trial.recipe.learning_rate,
            record.trial.seed,
            record.trial.device,
            record.trial.engine,
            *dataclasses.astuple(epoch),
            record.node,
        )
        for record in records
        for epoch in record.epochs
    ]
    return pd.DataFrame(rows, columns=columns)


def tabulate_tuning(
    study: StudySpec, records: Iterable[TrialRecord], variant: str, device: str
) -> tuple[Vector, Matrix, Counts]:
    """Final validation accuracy of one variant by learning rate.

    Returns:
        The rates of the study's grid and those that were tried besides, shape (num_rates,),
        ascending; the accuracy, shape (num_rates, num_seeds), NaN where a trial failed or none
        was tried; the seeds that each rate is tried with, the first of the columns, same shape as
        the rates.
    """
    if study.tuning is None:
        raise ValueError("expected a study with tuning, got one without")
    found = [
        record
        for record in records
        if record.trial.purpose == "tune"
        and (record.trial.variant.name, record.trial.device) == (variant, device)
    ]
    tried = Counter(record.trial.recipe.learning_rate for record in found)
    rates = sorted({*study.tuning.learning_rates, *tried})
    num_first = len(study.tuning.first_seeds)
    counts = [max(num_first, tried[rate]) for rate in rates]
    return *_tabulate(found, rates, study.tuning.seeds), np.array(counts)


def tabulate_scored(
    study: StudySpec, records: Iterable[TrialRecord], variant: str, device: str, rates: Vector
) -> Matrix:
    """Final test accuracy at each of these rates, shape (num_rates, num_seeds).

    NaN where a trial failed, and in the whole row where none was scored.
    """
    found = [
        record
        for record in records
        if record.trial.purpose in ("score", "alternate")
        and (record.trial.variant.name, record.trial.device) == (variant, device)
    ]
    return _tabulate(found, rates.tolist(), study.seeds)[1]


def _tabulate(
    records: Iterable[TrialRecord], rates: Sequence[float], seeds: Sequence[int]
) -> tuple[Vector, Matrix]:
    accuracy = np.full((len(rates), len(seeds)), np.nan)
    for record in records:
        row = rates.index(record.trial.recipe.learning_rate)
        if record.status == "finished":
            accuracy[row, seeds.index(record.trial.seed)] = record.epochs[-1].test_accuracy
    return np.array(rates), accuracy
