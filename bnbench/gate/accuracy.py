"""Accuracy of base and head, trained with the same seeds and compared seed by seed."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bnbench import stats
from bnbench.errors import GateError
from bnbench.gate.revisions import RevisionFolder, run_command
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome, classify_change

BOOTSTRAP_SEED = 20_260_101
"""Fixed, so that the same accuracies always give the same interval."""

Accuracies = Mapping[str, Mapping[int, float]]
"""Fraction of test images classified correctly after the last epoch, by variant and seed."""


@dataclass(frozen=True)
class AccuracySummary:
    """What the change did to the accuracy of one variant."""

    variant: str
    outcome: ChangeOutcome
    base_mean: float
    head_mean: float
    difference: stats.Estimate
    """Head minus base, a fraction of the images, with its interval at the false-alarm rate."""


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

    The mean difference over seeds has a BCa interval from ten seeds on and Student's t below, at
    the false-alarm rate and at the miss rate. The rule counts a loss as positive.

    Raises:
        GateError: the revisions share no variant, or fewer than two seeds of one.
    """
    variants = [variant for variant in base if variant in head]
    if not variants:
        raise GateError(
            f"expected a variant that both revisions trained, got {', '.join(base) or 'none'} "
            f"in base and {', '.join(head) or 'none'} in head"
        )
    limit = spec.max_accuracy_loss
    summaries = []
    for variant in variants:
        seeds = sorted(base[variant].keys() & head[variant].keys())
        if len(seeds) < 2:
            raise GateError(
                f"{variant}: expected at least two seeds that both revisions trained, "
                f"got {len(seeds)}; train more"
            )
        sides = [np.array([[side[variant][seed]] for seed in seeds]) for side in (base, head)]
        alarm, miss = (
            stats.compare_pairs(
                sides[0],
                sides[1],
                np.random.default_rng(BOOTSTRAP_SEED),
                confidence=1.0 - 2.0 * rate,
            )[0]
            for rate in (spec.false_alarms / len(variants), spec.misses)
        )
        outcome = ChangeOutcome.UNDECIDED
        if not (alarm.value is None or alarm.low is None or alarm.high is None or miss.low is None):
            outcome = classify_change(-alarm.value, -alarm.high, -alarm.low, -miss.low, limit)
        base_mean, head_mean = (float(side.mean()) for side in sides)
        summaries.append(AccuracySummary(variant, outcome, base_mean, head_mean, alarm))
    return tuple(summaries)
