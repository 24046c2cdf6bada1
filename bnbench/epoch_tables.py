"""The epochs of trials as CSV tables, one table per purpose of a trial."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from bnbench.records import TrialRecord
from bnbench.specs import Purpose

EPOCH_COLUMNS = (
    "variant",
    "seed",
    "device",
    "engine",
    "epoch",
    "train_loss",
    "test_loss",
    "test_accuracy",
    "train_seconds",
    "eval_seconds",
    "node",
)
TABLES: dict[Purpose, tuple[str, tuple[str, ...]]] = {
    "score": ("epochs.csv", EPOCH_COLUMNS),
    "tune": ("tuning.csv", ("variant", "learning_rate", *EPOCH_COLUMNS[1:])),
    "time": ("timing.csv", EPOCH_COLUMNS),
}
"""File name and columns of each table."""


def tabulate_epochs(
    records: Iterable[TrialRecord],
) -> Iterator[tuple[str, tuple[str, ...], list[list[object]]]]:
    """Lay trials out with one row per epoch.

    Yields:
        Each table's file name, columns and rows. A table without rows is left out, except that
        of the scored trials.
    """
    rows: dict[Purpose, list[list[object]]] = {purpose: [] for purpose in TABLES}
    for record in records:
        trial = record.trial
        for epoch in record.epochs:
            values = {
                "variant": trial.variant.name,
                "learning_rate": trial.recipe.learning_rate,
                "seed": trial.seed,
                "device": trial.device,
                "engine": trial.engine,
                **dataclasses.asdict(epoch),
                "node": record.node,
            }
            rows[trial.purpose].append([values[name] for name in TABLES[trial.purpose][1]])
    for purpose, (name, columns) in TABLES.items():
        if rows[purpose] or purpose == "score":
            yield name, columns, rows[purpose]
