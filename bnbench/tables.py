"""Trials as matrices of one row per seed and one column per epoch.

Seconds that were measured on different nodes are not comparable. Of each group of trials, only
one node's seconds are shown; the others are masked here, and the records stay as measured.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import StudySpec

if TYPE_CHECKING:
    import pandas as pd

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Group = tuple[str, str, str]
"""Purpose, device and engine: what trials must share before their seconds are compared."""
TRIAL_COLUMNS = ("purpose", "variant", "learning_rate", "seed", "device", "engine")


@dataclass(frozen=True, eq=False)
class TrialTable:
    """The trials of one variant on one device, trained by one engine for one purpose."""

    seeds: tuple[int, ...]
    accuracy: Matrix
    """Shape (num_seeds, num_epochs), fractions; NaN from the epoch on in which a trial failed."""
    train_seconds: Matrix
    """Same shape, seconds of training per epoch; NaN as above and for masked trials."""
    is_masked: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Shape (num_seeds,), trials that ran on another node than the one whose times count."""


def find_group(record: TrialRecord) -> Group:
    """Name the group of trials whose seconds may be compared with this trial's."""
    return record.trial.purpose, record.trial.device, record.trial.engine


def choose_timed_nodes(records: Iterable[TrialRecord]) -> dict[Group, str]:
    """Choose the node whose seconds count, for each group: the one that ran most of its trials.

    Where several ran as many, the first by name is chosen.
    """
    counts: dict[Group, Counter[str]] = {}
    for record in records:
        counts.setdefault(find_group(record), Counter())[record.node] += 1
    return {
        group: min(of_group, key=lambda node: (-of_group[node], node))
        for group, of_group in counts.items()
    }


def tabulate_trials(
    records: Iterable[TrialRecord],
    seeds: Sequence[int],
    num_epochs: int,
    timed_nodes: Mapping[Group, str],
) -> TrialTable:
    """Lay out the trials of the given seeds.

    Args:
        records: at most one trial per seed; trials of other seeds are skipped.
        seeds: shape (num_seeds,), the rows in their order.
        num_epochs: number of columns.
        timed_nodes: node whose seconds count, by group, from `choose_timed_nodes`.
    """
    shape = (len(seeds), num_epochs)
    accuracy, train_seconds = np.full(shape, np.nan), np.full(shape, np.nan)
    is_masked = np.zeros(len(seeds), dtype=np.bool_)
    rows = {seed: row for row, seed in enumerate(seeds)}
    for record in records:
        row = rows.get(record.trial.seed)
        if row is None or not record.epochs:
            continue
        is_masked[row] = record.node != timed_nodes[find_group(record)]
        for epoch in record.epochs:
            accuracy[row, epoch.epoch - 1] = epoch.test_accuracy
            if not is_masked[row]:
                train_seconds[row, epoch.epoch - 1] = epoch.train_seconds
    return TrialTable(tuple(seeds), accuracy, train_seconds, is_masked)


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


def make_epoch_frame(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """Lay trials out with one row per epoch: what the trial was, then `EpochRecord`'s fields."""
    import pandas as pd

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
