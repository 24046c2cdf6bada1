"""Accuracy of base and head, from the same seeds, held against each other seed by seed."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bnbench import stats
from bnbench.errors import GateError
from bnbench.gate.process import RevisionFolder
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome, classify_change

BOOTSTRAP_SEED = 20_260_101
"""Any number, but always the same one."""
TABLE = "epochs.csv"

Accuracies = Mapping[str, Mapping[int, float]]
"""By variant, then by seed: the fraction of the test images classified correctly at the end."""


@dataclass(frozen=True)
class AccuracySummary:
    """What the change did to the accuracy of one variant."""

    variant: str
    outcome: ChangeOutcome
    base_mean: float
    head_mean: float
    difference: stats.Estimate
    """Head minus base, a fraction of the images, with the interval that alarms go by."""


def measure_accuracies(revision: RevisionFolder, command: str, folder: Path) -> Accuracies:
    """Run a command that trains in a revision and read the accuracies it leaves.

    Args:
        revision: where it runs.
        command: a shell command; it leaves ``$GATE_OUT/epochs.csv`` with the columns ``seed``,
            ``test_accuracy`` and, where there is more than one, ``variant`` and ``epoch``.
        folder: a new folder for what it writes, ``GATE_OUT``.

    Raises:
        GateError: the command fails, or leaves no such table.
    """
    environment = revision.make_environment()
    # "python" in the command is the interpreter that runs the gate.
    path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    environment |= {"GATE_OUT": str(folder), "PATH": path}
    done = subprocess.run(
        command, shell=True, cwd=revision.tree, env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-10:])
        raise GateError(
            f"{revision.name}: expected accuracies, got exit code {done.returncode} of "
            f"{command!r}:\n{last}"
        )
    return read_accuracies(folder / TABLE)


def read_accuracies(path: Path) -> Accuracies:
    """Read the accuracy after the last epoch of each seed and variant.

    Raises:
        GateError: the file is not there, or a column is missing or is not numbers.
    """
    accuracies: dict[str, dict[int, float]] = {}
    last_epochs: dict[tuple[str, int], int] = {}
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                variant, seed = row.get("variant") or "model", int(row["seed"])
                epoch = int(row.get("epoch") or 1)
                if epoch >= last_epochs.get((variant, seed), 0):
                    last_epochs[variant, seed] = epoch
                    accuracies.setdefault(variant, {})[seed] = float(row["test_accuracy"])
    except (OSError, KeyError, ValueError) as error:
        raise GateError(
            f"{path}: expected a table with the columns seed and test_accuracy, got: {error!r}"
        ) from None
    return accuracies


def compare_accuracies(
    base: Accuracies, head: Accuracies, spec: GateSpec
) -> tuple[AccuracySummary, ...]:
    """Judge the accuracy of every variant that both revisions trained, by the rule of times.

    The mean difference over seeds with the project's interval (BCa from ten seeds on, Student's
    t below), at the rate of false alarms and at that of misses; a loss is positive for the rule.

    Raises:
        GateError: the revisions share no variant, or fewer than two seeds of one.
    """
    variants = [variant for variant in base if variant in head]
    if not variants:
        raise GateError(
            f"expected a variant that both revisions trained, got {', '.join(base) or 'none'} "
            f"in base and {', '.join(head) or 'none'} in head"
        )
    return tuple(
        _compare_variant(variant, base[variant], head[variant], spec, len(variants))
        for variant in variants
    )


def _compare_variant(
    variant: str,
    base: Mapping[int, float],
    head: Mapping[int, float],
    spec: GateSpec,
    num_variants: int,
) -> AccuracySummary:
    seeds = sorted(base.keys() & head.keys())
    if len(seeds) < 2:
        raise GateError(
            f"{variant}: expected at least two seeds that both revisions trained, "
            f"got {len(seeds)}; train more"
        )
    columns = [np.array([[side[seed]] for seed in seeds]) for side in (base, head)]

    def estimate(rate: float) -> stats.Estimate:
        generator = np.random.default_rng(BOOTSTRAP_SEED)
        (found,) = stats.compare_pairs(
            columns[0], columns[1], generator, confidence=1.0 - 2.0 * rate
        )
        return found

    alarm, miss = estimate(spec.false_alarms / num_variants), estimate(spec.misses)
    if alarm.value is None or alarm.low is None or alarm.high is None or miss.low is None:
        outcome = ChangeOutcome.UNDECIDED
    else:
        outcome = classify_change(
            -alarm.value, -alarm.high, -alarm.low, -miss.low, spec.max_accuracy_loss
        )
    return AccuracySummary(
        variant, outcome, float(columns[0].mean()), float(columns[1].mean()), alarm
    )
