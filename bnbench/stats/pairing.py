"""Two variants trained from the same seeds, compared seed by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bnbench.stats.arrays import check_accuracy, check_same_shape, read_matrix, read_vector
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    DEFAULT_NUM_RESAMPLES,
    Estimate,
    Method,
    check_confidence,
    undefined_interval,
)
from bnbench.stats.means import estimate_means

LEAST_COUNT_FOR_CORRELATION_INTERVAL = 4
"""Fisher's interval divides by sqrt(n - 3)."""


@dataclass(frozen=True)
class Pairing:
    """Whether comparing seed by seed made the comparison sharper.

    Attributes:
        correlation: Pearson's r between the two variants over seeds, in [-1, 1], with interval.
        paired_variance: variance of the difference within a seed.
        unpaired_variance: sum of both variants' variances, what the difference would have
            if the seeds had nothing in common.
        variance_ratio: paired / unpaired; 0.5 means that half the seeds do as well.
        helped: True if the correlation's interval lies above 0, False if it lies below,
            ``None`` if the trials don't tell.
    """

    correlation: Estimate
    paired_variance: float | None
    unpaired_variance: float | None
    variance_ratio: float | None
    helped: bool | None


def compare_pairs(
    baseline_accuracy: ArrayLike,
    candidate_accuracy: ArrayLike,
    generator: np.random.Generator,
    *,
    confidence: float = DEFAULT_CONFIDENCE,
    num_resamples: int = DEFAULT_NUM_RESAMPLES,
) -> tuple[Estimate, ...]:
    """Estimate the mean difference, candidate minus baseline, at each epoch.

    ``difference[seed] = candidate[seed] - baseline[seed]``; seeds are resampled, both variants
    of a seed together. A seed that misses either value at an epoch is left out there, and
    ``count`` says how many pairs are left. The difference of one pair has no interval.

    Args:
        baseline_accuracy: shape (num_seeds, num_epochs), fractions in [0, 1] or NaN.
        candidate_accuracy: same shape, the same seeds in the same order.
        generator: where the resamples come from.
        confidence: confidence level, in (0, 1).
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        One estimate an epoch, in [-1, 1].

    Raises:
        ValueError: if a shape or a value is not as said.

    Source: see :func:`~bnbench.stats.means.estimate_means`, which also tells the coverage.
    """
    baseline = read_matrix("baseline_accuracy", baseline_accuracy)
    candidate = read_matrix("candidate_accuracy", candidate_accuracy)
    check_same_shape("baseline_accuracy", baseline, "candidate_accuracy", candidate)
    check_accuracy("baseline_accuracy", baseline)
    check_accuracy("candidate_accuracy", candidate)
    return estimate_means(
        candidate - baseline,
        generator,
        bounds=(-1.0, 1.0),
        confidence=confidence,
        num_resamples=num_resamples,
    )


def summarize_pairing(
    baseline_accuracy: ArrayLike,
    candidate_accuracy: ArrayLike,
    *,
    confidence: float = DEFAULT_CONFIDENCE,
) -> Pairing:
    """Tell whether pairing by seed helped, by the correlation of the variants over seeds.

    ``var(c - b) = var(c) + var(b) - 2 * cov(c, b)``: pairing helps as far as the covariance is
    positive. Undefined (``None``) with fewer than 2 pairs or where a variant never varies.

    Args:
        baseline_accuracy: shape (num_seeds,), fractions in [0, 1] or NaN.
        candidate_accuracy: same shape, the same seeds in the same order.
        confidence: confidence level, in (0, 1).

    Returns:
        Correlation, variances and the verdict, over pairs in which both values are present.

    Raises:
        ValueError: if a shape or a value is not as said.

    Source: Fisher (1921), "On the 'probable error' of a coefficient of correlation", Metron 1,
    for the interval (4 pairs or more); computed by ``scipy.stats.pearsonr``.
    """
    baseline = read_vector("baseline_accuracy", baseline_accuracy)
    candidate = read_vector("candidate_accuracy", candidate_accuracy)
    check_same_shape("baseline_accuracy", baseline, "candidate_accuracy", candidate)
    check_accuracy("baseline_accuracy", baseline)
    check_accuracy("candidate_accuracy", candidate)
    check_confidence(confidence)
    present = ~(np.isnan(baseline) | np.isnan(candidate))
    baseline, candidate = baseline[present], candidate[present]
    count = int(baseline.size)
    if count < 2:
        return Pairing(undefined_interval(None, count, confidence), None, None, None, None)
    paired = float(np.var(candidate - baseline, ddof=1))
    unpaired = float(np.var(candidate, ddof=1) + np.var(baseline, ddof=1))
    ratio = paired / unpaired if unpaired > 0.0 else None
    if np.ptp(baseline) == 0.0 or np.ptp(candidate) == 0.0 or count == 2:
        # Two points always lie on a line: their r of 1 or -1 says nothing.
        return Pairing(undefined_interval(None, count, confidence), paired, unpaired, ratio, None)
    found = stats.pearsonr(baseline, candidate)
    value = float(np.clip(found.statistic, -1.0, 1.0))
    if count < LEAST_COUNT_FOR_CORRELATION_INTERVAL:
        correlation = undefined_interval(value, count, confidence)
        return Pairing(correlation, paired, unpaired, ratio, None)
    interval = found.confidence_interval(confidence)
    low, high = float(interval.low), float(interval.high)
    correlation = Estimate(value, low, high, confidence, Method.FISHER_Z, count)
    helped = True if low > 0.0 else False if high < 0.0 else None
    return Pairing(correlation, paired, unpaired, ratio, helped)
