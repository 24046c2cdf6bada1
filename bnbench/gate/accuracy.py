"""Accuracy of base and head, trained with the same seeds and compared seed by seed."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bnbench.errors import GateError
from bnbench.gate.revisions import RevisionFolder, run_command
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome, ErrorRates, decide_change

Accuracies = Mapping[str, Mapping[int, float]]
"""Fraction of test images classified correctly after the last epoch, by variant and seed."""


@dataclass(frozen=True)
class AccuracySummary:
    """What the change did to the accuracy of one variant."""

    variant: str
    outcome: ChangeOutcome
    base_mean: float
    head_mean: float
    difference: float
    """Center over seeds of head minus base, a fraction of the images."""
    low: float | None
    """Lower end of its interval at the false-alarm rate; None for too few seeds."""
    high: float | None
    """Upper end of the same interval."""
    num_seeds: int
    num_more: int | None
    """Estimated number of further seeds that would decide it; None if it is decided."""


def measure_accuracies(revision: RevisionFolder, command: str, folder: Path) -> Accuracies:
    """Run a command that trains in a revision and read the accuracies it writes.

    Args:
        revision: where it runs.
        command: a shell command; it writes ``$GATE_OUT/epochs.csv`` with the columns ``seed``,
            ``test_accuracy`` and, where there is more than one, ``variant`` and ``epoch``.
        folder: a new folder for what it writes, ``GATE_OUT``.

    Raises:
        GateError: the command fails, or writes no such table.
    """
    environment = revision.make_environment() | {"GATE_OUT": str(folder)}
    run_command(revision.name, command, revision.tree, environment)
    return read_accuracies(folder / "epochs.csv")


def read_accuracies(path: Path) -> Accuracies:
    """Read the accuracy after the last epoch of each seed and variant.

    Raises:
        GateError: the file is not there, or a column is missing or is not numbers.
    """
    accuracies: dict[str, dict[int, float]] = {}
    try:
        with path.open(newline="") as file:
            for row in sorted(csv.DictReader(file), key=lambda row: int(row.get("epoch") or 1)):
                seeds = accuracies.setdefault(row.get("variant") or "model", {})
                seeds[int(row["seed"])] = float(row["test_accuracy"])
    except (OSError, KeyError, ValueError) as error:
        raise GateError(
            f"{path}: expected a table with the columns seed and test_accuracy, got: {error!r}"
        ) from None
    return accuracies


def compare_accuracies(
    base: Accuracies, head: Accuracies, spec: GateSpec
) -> tuple[AccuracySummary, ...]:
    """Judge the accuracy of every variant that both revisions trained, by the rule for times.

    The rule counts a loss as positive; the variants share the false-alarm rate.

    Raises:
        GateError: the revisions share no variant, or no seed of one.
    """
    variants = [variant for variant in base if variant in head]
    if not variants:
        raise GateError(
            f"expected a variant that both revisions trained, got {', '.join(base) or 'none'} "
            f"in base and {', '.join(head) or 'none'} in head"
        )
    rates = ErrorRates(spec.false_alarms / len(variants), spec.misses)
    summaries = []
    for variant in variants:
        seeds = sorted(base[variant].keys() & head[variant].keys())
        if not seeds:
            raise GateError(
                f"{variant}: expected a seed that both revisions trained, got none; "
                "train both with the same seeds"
            )
        before, after = (np.array([side[variant][seed] for seed in seeds]) for side in (base, head))
        loss = decide_change(before - after, spec.max_accuracy_loss, rates)
        summaries.append(
            AccuracySummary(
                variant=variant,
                outcome=loss.outcome,
                base_mean=float(before.mean()),
                head_mean=float(after.mean()),
                difference=0.0 - loss.center,
                low=None if loss.high is None else 0.0 - loss.high,
                high=None if loss.low is None else 0.0 - loss.low,
                num_seeds=loss.count,
                num_more=loss.num_more,
            )
        )
    return tuple(summaries)
