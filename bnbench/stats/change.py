"""Whether something became worse: a three-way decision with an error rate for either mistake."""

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
    """The chances of a mistake in one test, one-sided, each in (0, 0.5).

    Attributes:
        alarm: to say *worse* (or *better*) of what did not change.
        miss: to say *not worse* of what became worse by the limit.
    """

    alarm: float
    miss: float

    def __post_init__(self) -> None:
        for name in ("alarm", "miss"):
            if not 0.0 < getattr(self, name) < 0.5:
                raise ValueError(f"{name} must be in (0, 0.5), got {getattr(self, name)}")


@dataclass(frozen=True)
class Change:
    """How much worse something became, and what is to be said of it.

    All but the counts in the unit of the values; positive is worse.

    Attributes:
        outcome: the decision.
        mean: mean of the values.
        low: lower end of the one-sided interval at the rate of alarms; ``None`` for one value.
        high: upper end of the same; ``None`` for one value.
        miss_high: upper end at the rate of misses; ``None`` for one value.
        count: values judged.
        num_more: values to add, as far as can be told, where it is undecided; else ``None``.
    """

    outcome: ChangeOutcome
    mean: float
    low: float | None
    high: float | None
    miss_high: float | None
    count: int
    num_more: int | None


def classify_change(
    mean: float, low: float, high: float, miss_high: float, limit: float
) -> ChangeOutcome:
    """Apply the rule of the gate to an estimate and its intervals.

    In this order:

    - *worse* if ``low > 0`` and ``mean >= limit / 2``: it is not chance, and it is nearer to the
      limit than to nothing;
    - *better* if ``high < 0`` and ``mean <= -limit / 2``: the same the other way round;
    - *not worse* if ``miss_high < limit``: a change for the worse by the limit is ruled out;
    - *undecided* otherwise.

    Asking for half the limit, and not for ``low > limit``, is what lets a change of exactly the
    limit be found: a test of "more than the limit" would find it at its error rate and no more.

    Args:
        mean: the estimate; positive is worse.
        low: end of the one-sided interval below, at the rate of false alarms.
        high: end of the one-sided interval above, at the same rate.
        miss_high: end of the one-sided interval above, at the rate of misses.
        limit: the change for the worse that must not pass, above 0.

    Raises:
        ValueError: if ``limit`` is not above 0.
    """
    if not limit > 0.0:
        raise ValueError(f"limit must be above 0, got {limit}")
    if low > 0.0 and mean >= limit / 2.0:
        return ChangeOutcome.WORSE
    if high < 0.0 and mean <= -limit / 2.0:
        return ChangeOutcome.BETTER
    if miss_high < limit:
        return ChangeOutcome.NOT_WORSE
    return ChangeOutcome.UNDECIDED


def decide_change(values: ArrayLike, limit: float, rates: ErrorRates) -> Change:
    """Decide whether independent values, positive for worse, say that something became worse.

    ``mean +- t(n - 1) * s / sqrt(n)`` at either rate, then :func:`classify_change`. Whatever
    correlates must have been summed up in one value before (a pair of processes, a seed).

    Args:
        values: shape (n,), n >= 1, finite; log-ratios, or differences.
        limit: the change for the worse that must not pass, in the same unit, above 0.
        rates: the chances of a mistake.

    Returns:
        The decision; undecided for one value.

    Raises:
        ValueError: if the shape or a value is not as said.
    """
    vector = read_vector("values", values)
    if not np.isfinite(vector).all():
        raise ValueError(f"values must be finite, got {vector[~np.isfinite(vector)][0]}")
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
    """Student's t that is exceeded at this rate; replays ask for the same ones again and again."""
    return float(stats.t.isf(rate, degrees))


def _count_more(mean: float, deviation: float, count: int, limit: float, rates: ErrorRates) -> int:
    """Count the values to add, supposing that mean and deviation stay where they are.

    Normal quantiles: with that many values Student's are near them. A mean right at a border
    would ask for any number; it is taken to be a tenth of the limit away.
    """
    needed = []
    if mean < limit:
        gap = max(limit - mean, limit / 10.0)
        needed.append((float(stats.norm.isf(rates.miss)) * deviation / gap) ** 2)
    if mean >= limit / 2.0:
        needed.append((float(stats.norm.isf(rates.alarm)) * deviation / mean) ** 2)
    return max(math.ceil(min(needed)) - count, 1)
