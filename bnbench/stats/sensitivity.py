"""Accuracy by learning rate: which rates work, and where trials diverge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import BoolArray, FloatArray
from bnbench.stats.estimates import Estimate
from bnbench.stats.learning_rate import (
    CHANCE_ACCURACY,
    average_tried,
    choose_learning_rate,
    fill_diverged,
    find_diverged,
    read_grid,
    read_num_tried,
)
from bnbench.stats.means import estimate_means

WORKING_TOLERANCE = 0.02
"""A rate works if its mean accuracy is within this of the best rate's: 2 points."""


@dataclass(frozen=True)
class RateSummary:
    """The accuracy of the trials at one learning rate."""

    learning_rate: float
    """The rate."""
    accuracy: Estimate
    """Mean over seeds, in [0, 1]; a trial without accuracy counts as chance accuracy."""
    num_trials: int
    """Trials at this rate."""
    num_diverged: int
    """Trials without an accuracy above chance."""
    works: bool
    """Whether the rate belongs to the band of rates that work."""


@dataclass(frozen=True)
class RateBand:
    """The rates that work: neighbors on the grid, around the best rate."""

    low_rate: float
    """Least rate that works."""
    high_rate: float
    """Greatest rate that works."""
    num_rates: int
    """Rates of the grid in the band."""
    decades: float
    """log10(high / low); 0 for a single rate. A lower limit, known to the grid's spacing."""
    reaches_lowest: bool
    """Whether the band includes the grid's least rate, and may extend below it."""
    reaches_highest: bool
    """Whether the band includes the grid's greatest rate, and may extend above it."""


@dataclass(frozen=True)
class RateSensitivity:
    """Accuracy as a function of the learning rate, for one variant."""

    rates: tuple[RateSummary, ...]
    """One summary per rate, ascending."""
    best_rate: float | None
    """Rate with the highest mean accuracy; ``None`` if no trial learned anything."""
    band: RateBand | None
    """The rates that work; ``None`` without a best rate."""
    tolerance: float
    """Largest distance from the best mean accuracy at which a rate works, a fraction."""
    half_diverge_rate: float | None
    """Least rate above the best at which at least half of the trials diverge; ``None`` if no rate
    of the grid does."""
    all_diverge_rate: float | None
    """Least rate above the best at which all trials diverge; ``None`` if no rate of the grid
    does."""
    chance: float = CHANCE_ACCURACY
    """Accuracy of guessing; that of a trial that diverged."""


def summarize_sensitivity(
    learning_rates: ArrayLike,
    accuracy: ArrayLike,
    generator: np.random.Generator,
    num_tried: ArrayLike | None = None,
    *,
    chance: float = CHANCE_ACCURACY,
) -> RateSensitivity:
    """Summarize how accuracy depends on the learning rate, and where training breaks down.

    A rate works if ``mean(rate) >= mean(best) - 0.02``, and so do all rates between it and the
    best one. Divergence is looked for only above the best rate: below it, a trial at chance
    accuracy has hardly moved.

    Args:
        learning_rates: shape (num_rates,), positive and ascending.
        accuracy: shape (num_rates, num_seeds), fractions in [0, 1]; NaN is diverged.
        generator: source of the resamples.
        num_tried: shape (num_rates,), seeds that each rate was tried with, the first of the
            columns; None is all of them.
        chance: accuracy of guessing, in (0, 1).

    Returns:
        Mean accuracy by rate, the best rate, the band that works and the rates that diverge.

    Raises:
        ValueError: if a shape differs or a value is outside its range.
    """
    rates, matrix = read_grid(learning_rates, accuracy)
    tried = read_num_tried(num_tried, matrix)
    was_tried = np.arange(matrix.shape[1]) < tried[:, None]
    num_diverged = (find_diverged(matrix, chance) & was_tried).sum(axis=1)
    filled = np.where(was_tried, fill_diverged(matrix, chance), np.nan)
    estimates = estimate_means(filled.T, generator, bounds=(0.0, 1.0))
    best_rate = choose_learning_rate(rates, matrix, tried, chance=chance)
    first, last, best = 0, -1, len(rates)
    if best_rate is not None:
        best = int(np.searchsorted(rates, best_rate))
        first, last = _find_band(average_tried(matrix, tried, chance), best)
    share = num_diverged / tried
    # Without a best rate, all rates are looked at.
    above = np.arange(len(rates)) > (best if best_rate is not None else -1)
    return RateSensitivity(
        rates=tuple(
            RateSummary(
                learning_rate=float(rate),
                accuracy=estimates[index],
                num_trials=int(tried[index]),
                num_diverged=int(num_diverged[index]),
                works=first <= index <= last,
            )
            for index, rate in enumerate(rates)
        ),
        best_rate=best_rate,
        band=None if best_rate is None else _describe_band(rates, first, last),
        tolerance=WORKING_TOLERANCE,
        half_diverge_rate=_find_first_rate(rates, above & (share >= 0.5)),
        all_diverge_rate=_find_first_rate(rates, above & (share >= 1.0)),
        chance=chance,
    )


def _find_band(means: FloatArray, best: int) -> tuple[int, int]:
    """Find the first and last index of the rates around the best that work."""
    # Means are rounded: a rate exactly at the border works, too.
    works = means >= means[best] - WORKING_TOLERANCE - 1e-12
    first = last = best
    while first > 0 and works[first - 1]:
        first -= 1
    while last + 1 < len(works) and works[last + 1]:
        last += 1
    return first, last


def _describe_band(rates: FloatArray, first: int, last: int) -> RateBand:
    """Describe the band from index ``first`` to ``last``, both included."""
    low, high = float(rates[first]), float(rates[last])
    return RateBand(
        low_rate=low,
        high_rate=high,
        num_rates=last - first + 1,
        decades=math.log10(high / low),
        reaches_lowest=first == 0,
        reaches_highest=last == len(rates) - 1,
    )


def _find_first_rate(rates: FloatArray, chosen: BoolArray) -> float | None:
    """Find the least rate chosen, if any."""
    return float(rates[chosen.argmax()]) if chosen.any() else None
