"""Change points of a benchmark's history, and alarms made from them.

The change points are Apache Otava's (the algorithm of Hunter: Fleming et al. 2023,
doi:10.1145/3578244.3583719): places at which the mean changes, found by energy distance and
kept by a t-test. Slow drift gives several points; those in the same direction and close together
are one alarm.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.errors import GateError
from bnbench.gate.history import BenchmarkHistory

MAX_P_VALUE = 0.001
"""Largest p-value of a change point that counts."""
MIN_CHANGE = 0.02
"""Smallest relative change that is reported."""
WINDOW = 50
"""Results per window of the algorithm."""
MAX_GAP = 10
"""Largest distance, in results, of points in one alarm."""
MIN_RESULTS = 8
"""Smallest history in which change points are sought."""


@dataclass(frozen=True)
class AlarmSummary:
    """A benchmark that got slower or faster, at one commit or gradually."""

    name: str
    first: int
    """Index of the first result after the first change."""
    last: int
    """Index of the first result after the last change; `first` if there is one step."""
    change: float
    """Relative change of the mean, from before the first to after the last."""

    @property
    def is_worse(self) -> bool:
        """Whether it got slower."""
        return self.change > 0.0


def find_alarms(history: BenchmarkHistory) -> list[AlarmSummary]:
    """Find where a benchmark's level changed.

    Raises:
        GateError: Apache Otava is not installed.
    """
    if len(history.values) < MIN_RESULTS:
        return []
    points = _find_change_points(history.values)
    groups = [[0], *_group_points(points), [len(history.values)]]
    alarms = []
    for previous, group, following in zip(groups, groups[1:], groups[2:], strict=False):
        first, last = group[0], group[-1]
        before = statistics.fmean(history.values[previous[-1] : first])
        after = statistics.fmean(history.values[last : following[0]])
        alarms.append(AlarmSummary(history.name, first, last, after / before - 1.0))
    return alarms


def _group_points(points: Sequence[tuple[int, float]]) -> list[list[int]]:
    groups: list[list[int]] = []
    was_worse = None
    for index, change in points:
        if groups and index - groups[-1][-1] <= MAX_GAP and (change > 0.0) is was_worse:
            groups[-1].append(index)
        else:
            groups.append([index])
        was_worse = change > 0.0
    return groups


def _find_change_points(values: Sequence[float]) -> list[tuple[int, float]]:
    """Indices of the first values after a change, each with its relative change."""
    try:
        from otava.analysis import compute_change_points
    except ImportError:
        raise GateError(
            "expected Apache Otava to find change points, got none installed; "
            "'pip install --no-deps apache-otava' (its change points need only NumPy and SciPy)"
        ) from None
    points, _ = compute_change_points(
        list(values), window_len=WINDOW, max_pvalue=MAX_P_VALUE, min_magnitude=MIN_CHANGE
    )
    return sorted((int(point.index), float(point.stats.forward_rel_change())) for point in points)


def count_recent(alarms: Sequence[AlarmSummary], num_results: int, num_recent: int) -> int:
    """Count the slowdowns that end within the last `num_recent` results."""
    return sum(alarm.is_worse and alarm.last >= num_results - num_recent for alarm in alarms)


def describe_history(history: BenchmarkHistory, alarms: Sequence[AlarmSummary]) -> str:
    """A benchmark's last result and its alarms, one per line."""
    unit = "kernels" if history.is_normalized else "s"
    text = f"{history.name}: {len(history.values)} results, last {history.values[-1]:.4g} {unit}"
    if len(history.values) < MIN_RESULTS:
        text += f"; change points need {MIN_RESULTS}"
    for alarm in alarms:
        first, last = history.commits[alarm.first], history.commits[alarm.last]
        where = f"at {first}"
        if alarm.last != alarm.first:
            where = f"gradually from {first} to {last}, {alarm.last - alarm.first + 1} results"
        word = "slower" if alarm.is_worse else "faster"
        text += f"\n  {word} by {abs(alarm.change):.1%} {where}"
    return text
