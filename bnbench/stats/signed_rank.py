"""The center of a symmetric distribution and its interval, without assuming its shape.

The Hodges-Lehmann estimate is the median of the Walsh averages, the means of every two values.
Its interval inverts Wilcoxon's signed-rank test. Both need independent values from a distribution
that is symmetric about its center; it may have heavy tails, two peaks or few distinct values.

Sources: Wilcoxon (1945), Biometrics Bulletin 1(6); Hodges and Lehmann (1963), Annals of
Mathematical Statistics 34(2).
"""

from __future__ import annotations

import functools
import math

import numpy as np


def average_pairs(values: np.ndarray) -> np.ndarray:
    """Walsh averages: the mean of every two values, each value with itself included.

    Args:
        values: shape (n,).

    Returns:
        Shape (n * (n + 1) / 2,), in ascending order.
    """
    first, second = np.triu_indices(values.size)
    return np.sort((values[first] + values[second]) / 2.0)


def find_interval_ends(averages: np.ndarray, count: int, rate: float) -> tuple[float, float] | None:
    """Ends of the two one-sided intervals of the center, each missing it at most at `rate`.

    Args:
        averages: of `count` values, from `average_pairs`.
        count: number of values.
        rate: one-sided error rate, in (0, 0.5).

    Returns:
        Lower and upper end; None if there are fewer values than `count_needed` gives.
    """
    rank = _find_rank(count, rate)
    if rank is None:
        return None
    return float(averages[rank]), float(averages[-1 - rank])


def count_needed(rate: float) -> int:
    """Smallest number of values with an interval at this rate.

    The most extreme outcome, all values on one side, has the probability 2^-n.
    """
    return math.ceil(-math.log2(rate))


@functools.cache
def _find_rank(count: int, rate: float) -> int | None:
    """Largest k for which a signed-rank sum of at most k has a probability of at most `rate`.

    Exact: each rank is in the sum or not, with probability 1/2. Equal values, or values of zero,
    only make the interval longer.
    """
    probabilities = np.ones(1)
    for rank in range(1, count + 1):
        longer = np.zeros(probabilities.size + rank)
        longer[:-rank] += probabilities
        longer[rank:] += probabilities
        probabilities = longer / 2.0
    rank = int(np.searchsorted(np.cumsum(probabilities), rate, side="right")) - 1
    return rank if rank >= 0 else None
