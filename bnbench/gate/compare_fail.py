"""What pytest-benchmark's ``--benchmark-compare-fail`` would have said of the same recording.

Its rule compares one statistic of one run with that of an earlier run:
``(head - base) / base > threshold`` fails. A run is one process, so base and head come from
different process pairs of the recording, as they come from different jobs in CI.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bnbench.gate.recording import Recording

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
}
THRESHOLDS = (0.05, 0.1)


@dataclass(frozen=True)
class CompareFailSummary:
    """What one rule said of many comparisons at one injected slowdown."""

    rule: str
    """As pytest-benchmark's option has it, such as ``mean:5%``."""
    slowdown: float
    num_comparisons: int
    num_failed: int
    """For A/A, comparisons of the suite in which any benchmark failed; else those in which the
    slowed benchmark did."""


def replay_compare_fail(
    recording: Recording,
    slowdown: float,
    num_comparisons: int,
    generator: np.random.Generator,
) -> list[CompareFailSummary]:
    """Replay comparisons of two runs, each rule on the same ones.

    Args:
        recording: with at least two pairs and one benchmark.
        slowdown: a recorded level; 0 for A/A.
        num_comparisons: how many.
        generator: draws the two runs.
    """
    names = recording.names
    figures = [
        {
            (visit.benchmark, visit.slowdown, statistic): (
                compute(visit.base_seconds) / visit.iterations,
                compute(visit.head_seconds) / visit.iterations,
            )
            for visit in pair.visits
            for statistic, compute in STATISTICS.items()
        }
        for pair in recording.pairs
    ]
    failed = {(statistic, limit): 0 for statistic in STATISTICS for limit in THRESHOLDS}
    for number in range(num_comparisons):
        first, second = generator.choice(len(figures), 2, replace=False)
        judged = [names[number % len(names)]] if slowdown else names
        for statistic in STATISTICS:
            changes = [
                figures[second][name, slowdown, statistic][1]
                / figures[first][name, 0.0, statistic][0]
                - 1.0
                for name in judged
            ]
            for limit in THRESHOLDS:
                failed[statistic, limit] += max(changes) > limit
    return [
        CompareFailSummary(f"{statistic}:{limit:.0%}", slowdown, num_comparisons, count)
        for (statistic, limit), count in failed.items()
    ]
