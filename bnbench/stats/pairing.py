"""Two variants trained from the same seeds, compared seed by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bnbench.stats.arrays import read_accuracy_pair
from bnbench.stats.estimates import DEFAULT_CONFIDENCE, Estimate, Method, omit_interval
from bnbench.stats.means import estimate_means

MIN_COUNT_FOR_CORRELATION_INTERVAL = 4
"""Fewest pairs for Fisher's interval, which divides by ``sqrt(n - 3)``."""


@dataclass(frozen=True)
class Pairing:
    """Whether comparing seed by seed made the comparison sharper."""

    correlation: Estimate
    """Pearson's r between the two variants over seeds, in [-1, 1]."""
    variance_ratio: float | None
    """Variance of the difference within a seed, divided by the sum of both variants' variances.

    0.5 means that half as many seeds give the same precision."""
    helped: bool | None
    """True if the correlation's interval is above 0, False if below; ``None`` if it is unclear."""


def compare_pairs(
    baseline_accuracy: ArrayLike,
    candidate_accuracy: ArrayLike,
    generator: np.random.Generator,
    *,
    confidence: float = DEFAULT_CONFIDENCE,
) -> tuple[Estimate, ...]:
    """Estimate the mean difference, candidate minus baseline, at each epoch.

    ``difference[seed] = candidate[seed] - baseline[seed]``. Seeds are resampled, with both
    variants of a seed together. A seed without both values at an epoch is left out there;
    ``count`` is the number of pairs left. The difference of one pair has no interval.

    Args:
        baseline_accuracy: shape (num_seeds, num_epochs), fractions in [0, 1] or NaN.
        candidate_accuracy: same shape, the same seeds in the same order.
        generator: source of the resamples.
        confidence: confidence level, in (0, 1).

    Returns:
        One estimate per epoch, in [-1, 1].

    Raises:
        ValueError: if the shapes differ or a value is outside its range.

    Source: see :func:`~bnbench.stats.means.estimate_means`, also for the measured coverage.
    """
    baseline, candidate = read_accuracy_pair(baseline_accuracy, candidate_accuracy, num_axes=2)
    return estimate_means(
        candidate - baseline, generator, bounds=(-1.0, 1.0), confidence=confidence
    )


def summarize_pairing(baseline_accuracy: ArrayLike, candidate_accuracy: ArrayLike) -> Pairing:
    """Summarize whether pairing by seed helped: the correlation of the variants over seeds.

    ``var(c - b) = var(c) + var(b) - 2 * cov(c, b)``: pairing helps if the covariance is positive.
    The correlation is undefined for fewer than 3 pairs (two points always lie on a line), and if
    a variant never varies.

    Args:
        baseline_accuracy: shape (num_seeds,), fractions in [0, 1] or NaN.
        candidate_accuracy: same shape, the same seeds in the same order.

    Returns:
        Correlation with its 95 % interval (from 4 pairs on) and variance ratio, over the seeds
        with both values.

    Raises:
        ValueError: if the shapes differ or a value is outside its range.

    Source: Fisher (1921), "On the 'probable error' of a coefficient of correlation", Metron 1,
    for the interval; computed by ``scipy.stats.pearsonr``.
    """
    baseline, candidate = read_accuracy_pair(baseline_accuracy, candidate_accuracy, num_axes=1)
    present = ~(np.isnan(baseline) | np.isnan(candidate))
    baseline, candidate = baseline[present], candidate[present]
    count = int(baseline.size)
    if count < 2:
        return Pairing(omit_interval(None, count), None, None)
    paired = float(np.var(candidate - baseline, ddof=1))
    unpaired = float(np.var(candidate, ddof=1) + np.var(baseline, ddof=1))
    ratio = paired / unpaired if unpaired > 0.0 else None
    if np.ptp(baseline) == 0.0 or np.ptp(candidate) == 0.0 or count == 2:
        return Pairing(omit_interval(None, count), ratio, None)
    found = stats.pearsonr(baseline, candidate)
    value = float(np.clip(found.statistic, -1.0, 1.0))
    if count < MIN_COUNT_FOR_CORRELATION_INTERVAL:
        return Pairing(omit_interval(value, count), ratio, None)
    interval = found.confidence_interval(DEFAULT_CONFIDENCE)
    low, high = float(interval.low), float(interval.high)
    correlation = Estimate(value, low, high, DEFAULT_CONFIDENCE, Method.FISHER_Z, count)
    helped = True if low > 0.0 else False if high < 0.0 else None
    return Pairing(correlation, ratio, helped)
