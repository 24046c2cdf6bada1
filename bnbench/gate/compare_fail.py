"""What pytest-benchmark's ``--benchmark-compare-fail`` would decide on the same recording.

Its rule compares one statistic of one run with that of an earlier run:
``(head - base) / base > threshold`` fails. A run is one process, so base and head come from
different process pairs of the recording, as they come from different jobs in CI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bnbench.gate.recording import Recording

STATISTICS: dict[str, Callable[..., float]] = {"mean": np.mean, "median": np.median, "min": np.min}
THRESHOLDS = (0.05, 0.1)


@dataclass(frozen=True)
class CompareFailSummary:
    """What one rule decided in many comparisons at one injected slowdown."""

    rule: str
    """Argument of pytest-benchmark's option, such as ``mean:5%``."""
    slowdown: float
    num_comparisons: int
    num_failed: int
    """Comparisons in which the slowed benchmark failed; at 0, in which any benchmark did."""


def replay_compare_fail(
    recording: Recording, slowdown: float, num_comparisons: int, generator: np.random.Generator
) -> list[CompareFailSummary]:
    """Replay comparisons of two runs, each rule on the same ones.

    Args:
        recording: with at least two pairs and one benchmark.
        slowdown: a recorded level; 0 for A/A.
        num_comparisons: how many, at least 1.
        generator: draws the two runs.
    """
    pairs, names = recording.pairs, recording.names
    runs = [generator.choice(len(pairs), 2, replace=False) for _ in range(num_comparisons)]
    first, second = np.transpose(runs)
    numbers = np.arange(num_comparisons)
    summaries = []
    for statistic, compute in STATISTICS.items():
        figures = [
            [
                (
                    compute(pair.table[name, 0.0].measurement.base),
                    compute(pair.table[name, slowdown].measurement.head),
                )
                for name in names
            ]
            for pair in pairs
        ]
        base, head = np.moveaxis(np.array(figures), 2, 0)  # each of shape (pairs, names)
        changes = head[second] / base[first] - 1.0
        found = changes[numbers, numbers % len(names)] if slowdown else changes.max(axis=1)
        summaries += [
            CompareFailSummary(
                f"{statistic}:{limit:.0%}", slowdown, num_comparisons, int((found > limit).sum())
            )
            for limit in THRESHOLDS
        ]
    return summaries
