"""What pytest-benchmark's ``--benchmark-compare-fail`` would decide on the same recording.

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
    """What one rule decided in many comparisons at one injected slowdown."""

    rule: str
    """Argument of pytest-benchmark's option, such as ``mean:5%``."""
    slowdown: float
    num_comparisons: int
    num_failed: int
    """Comparisons in which the slowed benchmark failed; at 0, in which any benchmark did."""


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
            (each.benchmark, each.slowdown, statistic): (
                compute(each.base_seconds) / each.iterations,
                compute(each.head_seconds) / each.iterations,
            )
            for each in pair.benchmarks
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
