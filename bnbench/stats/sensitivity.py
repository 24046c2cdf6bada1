"""How accuracy depends on the learning rate: which rates work, and where trials diverge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import BoolArray, FloatArray
from bnbench.stats.estimates import DEFAULT_CONFIDENCE, DEFAULT_NUM_RESAMPLES, Estimate
from bnbench.stats.learning_rate import (
    CHANCE_ACCURACY,
    choose_learning_rate,
    fill_diverged,
    find_diverged,
    read_grid,
)
from bnbench.stats.means import estimate_means

WORKING_TOLERANCE = 0.02
"""A rate works if its mean accuracy is within this of the best rate's: 2 points."""


@dataclass(frozen=True)
class RateSummary:
    """What the trials at one learning rate scored.

    Attributes:
        learning_rate: the rate.
        accuracy: mean over seeds with interval; a trial without accuracy counts as chance.
        num_trials: trials at this rate.
        num_diverged: trials without accuracy, or no better than chance.
        works: whether the rate belongs to the band of rates that work.
    """

    learning_rate: float
    accuracy: Estimate
    num_trials: int
    num_diverged: int
    works: bool


@dataclass(frozen=True)
class RateBand:
    """The rates that work: next to each other on the grid, around the best one.

    Attributes:
        low_rate: least rate that works.
        high_rate: greatest rate that works.
        num_rates: rates of the grid in the band.
        decades: log10(high / low); 0 if a single rate works. The band is known to the
            grid's spacing only: it reaches at least this far.
        octaves: log2(high / low).
        reaches_lowest: the band includes the grid's least rate, and may go on below it.
        reaches_highest: the band includes the grid's greatest rate, and may go on above it.
    """

    low_rate: float
    high_rate: float
    num_rates: int
    decades: float
    octaves: float
    reaches_lowest: bool
    reaches_highest: bool


@dataclass(frozen=True)
class RateSensitivity:
    """Accuracy as a function of the learning rate, for one variant.

    Attributes:
        rates: one summary a rate, ascending.
        best_rate: the rate with the highest mean accuracy; ``None`` if nothing was learnt
            anywhere.
        band: the rates that work; ``None`` without a best rate.
        tolerance: how far from the best mean accuracy a rate still works, a fraction.
        half_diverge_rate: least rate above the best at which half of the trials or more
            diverge; ``None`` if there is none on the grid.
        all_diverge_rate: the same for all trials.
    """

    rates: tuple[RateSummary, ...]
    best_rate: float | None
    band: RateBand | None
    tolerance: float
    half_diverge_rate: float | None
    all_diverge_rate: float | None


def summarize_sensitivity(
    learning_rates: ArrayLike,
    accuracy: ArrayLike,
    generator: np.random.Generator,
    *,
    tolerance: float = WORKING_TOLERANCE,
    chance_accuracy: float = CHANCE_ACCURACY,
    confidence: float = DEFAULT_CONFIDENCE,
    num_resamples: int = DEFAULT_NUM_RESAMPLES,
) -> RateSensitivity:
    """Sum up how accuracy depends on the learning rate, and where training breaks down.

    A rate works if ``mean(rate) >= mean(best) - tolerance`` and so do all rates between it and the
    best one. Divergence is looked for above the best rate only: below it, a trial at chance
    level has not diverged but hardly moved.

    Args:
        learning_rates: shape (num_rates,), positive and ascending.
        accuracy: shape (num_rates, num_seeds), fractions in [0, 1]; NaN is diverged.
        generator: where the resamples come from.
        tolerance: fraction in [0, 1]; 0.02 is 2 points.
        chance_accuracy: what guessing scores, in [0, 1].
        confidence: confidence level, in (0, 1).
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        Mean accuracy by rate, the best rate, the band that works and where trials diverge.

    Raises:
        ValueError: if a shape or a value is not as said.
    """
    rates, matrix = read_grid(learning_rates, accuracy, chance_accuracy)
    if not 0.0 <= tolerance <= 1.0:
        raise ValueError(f"tolerance must be a fraction in [0, 1], got {tolerance}")
    diverged = find_diverged(matrix, chance_accuracy)
    filled = fill_diverged(matrix, chance_accuracy)
    estimates = estimate_means(
        filled.T, generator, bounds=(0.0, 1.0), confidence=confidence, num_resamples=num_resamples
    )
    best_rate = choose_learning_rate(rates, matrix, chance_accuracy=chance_accuracy)
    first, last, best = 0, -1, len(rates)
    if best_rate is not None:
        best = int(np.searchsorted(rates, best_rate))
        first, last = _find_band(filled.mean(axis=1), best, tolerance)
    share = diverged.mean(axis=1)
    # With nothing learnt anywhere there is no best rate to look above: look everywhere.
    above = np.arange(len(rates)) > (best if best_rate is not None else -1)
    return RateSensitivity(
        rates=tuple(
            RateSummary(
                learning_rate=float(rate),
                accuracy=estimates[index],
                num_trials=int(matrix.shape[1]),
                num_diverged=int(diverged[index].sum()),
                works=first <= index <= last,
            )
            for index, rate in enumerate(rates)
        ),
        best_rate=best_rate,
        band=None if best_rate is None else _describe_band(rates, first, last),
        tolerance=tolerance,
        half_diverge_rate=_find_first_rate(rates, above & (share >= 0.5)),
        all_diverge_rate=_find_first_rate(rates, above & (share >= 1.0)),
    )


def _find_band(means: FloatArray, best: int, tolerance: float) -> tuple[int, int]:
    """Find the first and last index of the run of rates around the best that work."""
    # Means are rounded: a rate exactly at the border works all the same.
    works = means >= means[best] - tolerance - 1e-12
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
        octaves=math.log2(high / low),
        reaches_lowest=first == 0,
        reaches_highest=last == len(rates) - 1,
    )


def _find_first_rate(rates: FloatArray, chosen: BoolArray) -> float | None:
    """Find the least rate chosen, if any is."""
    return float(rates[chosen.argmax()]) if chosen.any() else None
