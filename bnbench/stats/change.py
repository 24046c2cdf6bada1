"""Whether something became worse: a three-way decision with two error rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import read_vector
from bnbench.stats.signed_rank import average_pairs, count_needed, find_interval_ends


class ChangeOutcome(StrEnum):
    """What a change did to one quantity."""

    WORSE = "worse"
    BETTER = "better"
    NOT_WORSE = "not worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class ErrorRates:
    """The error rates of one test, one-sided, each in (0, 0.5).

    Raises:
        ValueError: if a rate is outside its range.
    """

    alarm: float
    """False-alarm rate: chance of *worse* (or of *better*) without a change."""
    miss: float
    """Chance of *not worse* for a change for the worse by the limit."""

    def __post_init__(self) -> None:
        for name in ("alarm", "miss"):
            rate = getattr(self, name)
            if not 0.0 < rate < 0.5:
                raise ValueError(
                    f"{name}: expected a rate in (0, 0.5), got {rate}; divide percent by 100"
                )


@dataclass(frozen=True)
class Change:
    """How much worse something became; differences in the unit of the values, positive is worse."""

    outcome: ChangeOutcome
    """The decision."""
    center: float
    """Hodges-Lehmann estimate of the values' center."""
    low: float | None
    """Lower end of the one-sided interval at the false-alarm rate; ``None`` for too few values."""
    high: float | None
    """Upper end of the one-sided interval at the false-alarm rate; ``None`` for too few values."""
    miss_high: float | None
    """Upper end of the one-sided interval at the miss rate; ``None`` for too few values."""
    count: int
    """Values judged."""
    num_more: int | None
    """Estimated number of further values needed; ``None`` if decided."""


def classify_change(
    center: float, low: float, high: float, miss_high: float, limit: float
) -> ChangeOutcome:
    """Classify an estimate and its intervals by the gate's rule.

    The first that holds:

    - *worse* if ``low > 0`` and ``center >= limit / 2``: not chance, and nearer to the limit than
      to zero;
    - *better* if ``high < 0`` and ``center <= -limit / 2``: the same in the other direction;
    - *not worse* if ``miss_high < limit``: a change for the worse by the limit is ruled out;
    - *undecided* otherwise.

    The rule asks for half the limit, not for ``low > limit``, so that it detects a change of
    exactly the limit. A test of "more than the limit" would detect that change only at its
    false-alarm rate.

    Args:
        center: the estimate; positive is worse.
        low: lower end of the one-sided interval at the false-alarm rate.
        high: upper end of the one-sided interval at the false-alarm rate.
        miss_high: upper end of the one-sided interval at the miss rate.
        limit: the change for the worse that must be detected, above 0.

    Returns:
        The outcome.

    Raises:
        ValueError: if ``limit`` is not above 0.
    """
    if not limit > 0.0:
        raise ValueError(f"limit: expected a number above 0, got {limit}")
    if low > 0.0 and center >= limit / 2.0:
        return ChangeOutcome.WORSE
    if high < 0.0 and center <= -limit / 2.0:
        return ChangeOutcome.BETTER
    if miss_high < limit:
        return ChangeOutcome.NOT_WORSE
    return ChangeOutcome.UNDECIDED


def decide_change(values: ArrayLike, limit: float, rates: ErrorRates) -> Change:
    """Decide whether independent values, positive for worse, show that something became worse.

    The estimate and its intervals are those of the signed-rank test; :func:`classify_change`
    decides. Without a change, head and base are exchangeable, so the difference of two is
    symmetric about zero whatever the noise looks like: the false-alarm rate needs no more. Values
    that correlate must be reduced to one value first (one per process pair).

    Args:
        values: shape (n,), n >= 1, finite; log-ratios or differences.
        limit: the change for the worse that must be detected, same unit, above 0.
        rates: the error rates of the test.

    Returns:
        The decision; without an interval at a rate, nothing is decided at that rate.

    Raises:
        ValueError: if the shape differs or a value is outside its range.
    """
    vector = read_vector("values", values)
    if not np.isfinite(vector).all():
        raise ValueError(f"values: expected finite numbers, got {vector[~np.isfinite(vector)][0]}")
    count, averages = int(vector.size), average_pairs(vector)
    center = float(np.median(averages))
    alarm = find_interval_ends(averages, count, rates.alarm)
    miss = find_interval_ends(averages, count, rates.miss)
    low, high = alarm or (None, None)
    miss_high = miss[1] if miss else None
    outcome = classify_change(
        center,
        -math.inf if low is None else low,
        math.inf if high is None else high,
        math.inf if miss_high is None else miss_high,
        limit,
    )
    more = None
    if outcome is ChangeOutcome.UNDECIDED:
        more = _count_more(center, low, miss_high, count, limit, rates)
    return Change(outcome, center, low, high, miss_high, count, more)


def _count_more(
    center: float,
    low: float | None,
    miss_high: float | None,
    count: int,
    limit: float,
    rates: ErrorRates,
) -> int:
    """Count the further values needed if center and spread stay as they are.

    The length of an interval falls with the root of the number of values. The distance of the
    center from the limit is taken as at least a tenth of the limit; at zero distance the count
    would be infinite.
    """
    needed = []
    if center < limit:
        gap = max(limit - center, limit / 10.0)
        ratio = 0.0 if miss_high is None else (miss_high - center) / gap
        needed.append(max(count * ratio**2, count_needed(rates.miss)))
    if center >= limit / 2.0:
        ratio = 0.0 if low is None else (center - low) / center
        needed.append(max(count * ratio**2, count_needed(rates.alarm)))
    return max(math.ceil(min(needed)) - count, 1)
