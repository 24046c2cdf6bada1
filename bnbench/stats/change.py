"""Whether something became worse: a three-way decision with two error rates."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bnbench.stats.arrays import read_vector


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
    mean: float
    """Mean of the values."""
    low: float | None
    """Lower end of the one-sided interval at the false-alarm rate; ``None`` for one value."""
    high: float | None
    """Upper end of the one-sided interval at the false-alarm rate; ``None`` for one value."""
    miss_high: float | None
    """Upper end of the one-sided interval at the miss rate; ``None`` for one value."""
    count: int
    """Values judged."""
    num_more: int | None
    """Estimated number of further values needed; ``None`` if decided."""


def classify_change(
    mean: float, low: float, high: float, miss_high: float, limit: float
) -> ChangeOutcome:
    """Classify an estimate and its intervals by the gate's rule.

    The first that holds:

    - *worse* if ``low > 0`` and ``mean >= limit / 2``: not chance, and nearer to the limit than
      to zero;
    - *better* if ``high < 0`` and ``mean <= -limit / 2``: the same in the other direction;
    - *not worse* if ``miss_high < limit``: a change for the worse by the limit is ruled out;
    - *undecided* otherwise.

    The rule asks for half the limit, not for ``low > limit``, so that it detects a change of
    exactly the limit. A test of "more than the limit" would detect that change only at its
    false-alarm rate.

    Args:
        mean: the estimate; positive is worse.
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
    if low > 0.0 and mean >= limit / 2.0:
        return ChangeOutcome.WORSE
    if high < 0.0 and mean <= -limit / 2.0:
        return ChangeOutcome.BETTER
    if miss_high < limit:
        return ChangeOutcome.NOT_WORSE
    return ChangeOutcome.UNDECIDED


def decide_change(values: ArrayLike, limit: float, rates: ErrorRates) -> Change:
    """Decide whether independent values, positive for worse, show that something became worse.

    The intervals are ``mean +- t(n - 1) * s / sqrt(n)`` at either rate;
    :func:`classify_change` decides. Values that correlate must be reduced to one value first
    (one per process pair, or one per seed).

    Args:
        values: shape (n,), n >= 1, finite; log-ratios or differences.
        limit: the change for the worse that must be detected, same unit, above 0.
        rates: the error rates of the test.

    Returns:
        The decision; undecided for one value.

    Raises:
        ValueError: if the shape differs or a value is outside its range.

    Source: Student (1908), Biometrika 6(1).
    """
    vector = read_vector("values", values)
    if not np.isfinite(vector).all():
        raise ValueError(f"values: expected finite numbers, got {vector[~np.isfinite(vector)][0]}")
    count, mean = int(vector.size), float(vector.mean())
    if count < 2:
        return Change(ChangeOutcome.UNDECIDED, mean, None, None, None, count, 1)
    error = float(vector.std(ddof=1)) / math.sqrt(count)
    alarm = _find_quantile(rates.alarm, count - 1) * error
    miss = _find_quantile(rates.miss, count - 1) * error
    outcome = classify_change(mean, mean - alarm, mean + alarm, mean + miss, limit)
    more = None
    if outcome is ChangeOutcome.UNDECIDED:
        more = _count_more(mean, error * math.sqrt(count), count, limit, rates)
    return Change(outcome, mean, mean - alarm, mean + alarm, mean + miss, count, more)


@functools.cache
def _find_quantile(rate: float, degrees: int) -> float:
    """Student's t exceeded at this rate; cached, since replays repeat the same few."""
    return float(stats.t.isf(rate, degrees))


def _count_more(mean: float, deviation: float, count: int, limit: float, rates: ErrorRates) -> int:
    """Count the further values needed if mean and deviation stay as they are.

    Normal quantiles approximate Student's at that count. The distance of the mean from the limit
    is taken as at least a tenth of the limit; at zero distance the count would be infinite.
    """
    needed = []
    if mean < limit:
        gap = max(limit - mean, limit / 10.0)
        needed.append((float(stats.norm.isf(rates.miss)) * deviation / gap) ** 2)
    if mean >= limit / 2.0:
        needed.append((float(stats.norm.isf(rates.alarm)) * deviation / mean) ** 2)
    return max(math.ceil(min(needed)) - count, 1)
