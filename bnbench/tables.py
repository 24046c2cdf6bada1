"""Trials as tables: their epochs as a data frame, and the tuning of a variant as a matrix."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import Purpose, StudySpec

if TYPE_CHECKING:
    import pandas as pd

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
EPOCH_FILES: dict[Purpose, str] = {
    "score": "epochs.csv",
    "tune": "tuning.csv",
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
) -> Matrix:
    """Final validation accuracy, shape (num_learning_rates, num_seeds); NaN where a trial failed.

    The learning rates ascend as in the study's grid.
    """
    if study.tuning is None:
        raise ValueError("expected a study with tuning, got one without")
    rates, seeds = study.tuning.learning_rates, study.tuning.seeds
    accuracy = np.full((len(rates), len(seeds)), np.nan)
    for record in records:
        trial = record.trial
        if trial.purpose == "tune" and (trial.variant.name, trial.device) == (variant, device):
            row, column = rates.index(trial.recipe.learning_rate), seeds.index(trial.seed)
            if record.status == "finished":
                accuracy[row, column] = record.epochs[-1].test_accuracy
    return accuracy
