"""Trials as tables: a data frame of epochs, and matrices of one row a seed, one column an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import StudySpec

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]

TRIAL_COLUMNS = ("purpose", "variant", "learning_rate", "seed", "device", "engine")


@dataclass(frozen=True, eq=False)
class TrialTable:
    """The trials of one variant on one device that one engine trained for one purpose."""

    seeds: tuple[int, ...]
    accuracy: Matrix
    """Shape (num_seeds, num_epochs), fractions; NaN from the epoch on in which a trial failed."""
    train_seconds: Matrix
    """Same shape, seconds of training of each epoch."""

    @property
    def was_timed_elsewhere(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Shape (num_seeds,): trials that were trained and whose seconds are not to be used."""
        no_seconds = np.isnan(self.train_seconds).all(axis=1)
        return np.asarray(no_seconds & ~np.isnan(self.accuracy).all(axis=1))


def make_epoch_frame(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """Lay trials out with one row an epoch: what the trial was, then `EpochRecord`'s fields."""
    columns = [*TRIAL_COLUMNS, *(field.name for field in dataclasses.fields(EpochRecord))]
    rows = [
        (
            record.trial.purpose,
            record.trial.variant.name,
            record.trial.recipe.learning_rate,
            record.trial.seed,
            record.trial.device,
            record.trial.engine,
            *dataclasses.astuple(epoch),
        )
        for record in records
        for epoch in record.epochs
    ]
    return pd.DataFrame(rows, columns=columns)


def tabulate_trials(
    records: Iterable[TrialRecord], seeds: Sequence[int], num_epochs: int
) -> TrialTable:
    """Lay out the trials of the given seeds, one trial a seed."""
    frame = make_epoch_frame(records)

    def pivot(column: str) -> Matrix:
        matrix = frame.pivot_table(index="seed", columns="epoch", values=column)
        whole = matrix.reindex(index=list(seeds), columns=range(1, num_epochs + 1))
        return whole.to_numpy(dtype=np.float64)

    return TrialTable(tuple(seeds), pivot("test_accuracy"), pivot("train_seconds"))


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
