"""Seconds per epoch: the usual, the outliers, and the ratio of two variants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import FloatArray, check_same_shape, read_seconds
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    DEFAULT_NUM_RESAMPLES,
    Estimate,
    Method,
    find_min_count,
    omit_interval,
)
from bnbench.stats.medians import find_medians, find_pooled_medians
from bnbench.stats.resampling import draw_seeds, find_percentile_limits

OUTLIER_DEVIATIONS = 5.0
"""Robust standard deviations above the median from which an epoch is an outlier."""

MIN_RELATIVE_DEVIATION = 0.01
"""Least robust standard deviation, as a share of the median: clocks of shared machines vary."""

MAD_TO_DEVIATION = 1.4826
"""Standard deviation per median absolute deviation, for a normal distribution."""


@dataclass(frozen=True)
class SlowEpoch:
    """An epoch that took much longer than usual."""

    seed_index: int
    """Row of the trial, from 0."""
    epoch: int
    """Number of the epoch, from 1."""
    train_seconds: float
    """Seconds that it took."""


@dataclass(frozen=True)
class EpochTime:
    """Seconds per epoch of one variant, over all its trials and epochs, outliers included."""

    median_seconds: float | None
    """Median seconds per epoch; ``None`` if no epoch was timed."""
    lower_quartile_seconds: float | None
    """Seconds that a quarter of the epochs stayed below."""
    upper_quartile_seconds: float | None
    """Seconds that a quarter of the epochs exceeded."""
    limit_seconds: float | None
    """Seconds above which an epoch is an outlier."""
    outliers: tuple[SlowEpoch, ...]
    """Epochs above the limit, in order of trial and epoch."""
    num_epochs: int
    """Epochs timed."""


@dataclass(frozen=True)
class EpochTimeComparison:
    """Seconds per epoch of two variants, compared."""

    ratio: Estimate
    """Median of the candidate / median of the baseline; above 1 the candidate is slower."""
    paired_ratio: Estimate
    """Median over seeds of the ratio within a seed.

    It stays sharp if the machine's speed changes between seeds, since both trials of a seed run
    side by side."""
    baseline: EpochTime
    """The baseline by itself."""
    candidate: EpochTime
    """The candidate by itself."""


def summarize_epoch_time(train_seconds: ArrayLike) -> EpochTime:
    """Summarize seconds per epoch and list the outliers, which stay in all numbers.

    ``limit = median + 5 * max(1.4826 * MAD, 0.01 * median)``, where MAD is the median distance
    from the median.

    Args:
        train_seconds: shape (num_seeds, num_epochs), positive; NaN for epochs not trained.

    Returns:
        Median, quartiles and outliers.

    Raises:
        ValueError: if the shape differs or a value is outside its range.

    Source: Leys et al. (2013), "Detecting outliers", Journal of Experimental Social Psychology
    49(4), for the median absolute deviation.
    """
    seconds = read_seconds("train_seconds", train_seconds)
    timed = seconds[~np.isnan(seconds)]
    if timed.size == 0:
        return EpochTime(None, None, None, None, (), 0)
    lower, median, upper = (float(q) for q in np.quantile(timed, [0.25, 0.5, 0.75]))
    deviation = MAD_TO_DEVIATION * float(np.median(np.abs(timed - median)))
    limit = median + OUTLIER_DEVIATIONS * max(deviation, MIN_RELATIVE_DEVIATION * median)
    outliers = tuple(
        SlowEpoch(int(row), int(column) + 1, float(seconds[row, column]))
        for row, column in np.argwhere(seconds > limit)
    )
    return EpochTime(median, lower, upper, limit, outliers, int(timed.size))


def compare_epoch_time(
    baseline_train_seconds: ArrayLike,
    candidate_train_seconds: ArrayLike,
    generator: np.random.Generator,
    *,
    confidence: float = DEFAULT_CONFIDENCE,
    num_resamples: int = DEFAULT_NUM_RESAMPLES,
) -> EpochTimeComparison:
    """Estimate how many times longer an epoch of the candidate takes.

    ``ratio = median(candidate) / median(baseline)``, each over all epochs of all trials. Whole
    seeds are resampled, with both variants together, since the epochs of one trial share the
    machine's state. The interval is the percentile bootstrap's, widened for few seeds; BCa needs
    a smooth statistic, and a median is not smooth. Fewer than 6 seeds have no 95 % interval.

    Measured coverage of the 95 % interval (1,500 studies of 5 epochs each with outliers, both
    trials of a seed slowed down alike, simulation error 0.6 points):

    ============================  =========  ================
    studies                       ``ratio``  ``paired_ratio``
    ============================  =========  ================
    30 seeds                      97.7 %     95.9 %
    10 seeds                      99 %       97.1 %
    two machine speeds, by seed   99.7 %     95.0 %
    ============================  =========  ================

    Args:
        baseline_train_seconds: shape (num_seeds, num_epochs), positive; NaN if not trained.
        candidate_train_seconds: same shape; each row is the trial that ran beside the baseline's.
        generator: source of the resamples.
        confidence: confidence level, in (0, 1).
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        Both ratios with their intervals, and each variant by itself; ``count`` is the number
        of seeds at which both variants were timed.

    Raises:
        ValueError: if the shapes differ or a value is outside its range.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", section 13.3;
    Davison and Hinkley (1997), "Bootstrap Methods and their Application", section 3.8, for
    resampling whole clusters.
    """
    baseline = read_seconds("baseline_train_seconds", baseline_train_seconds)
    candidate = read_seconds("candidate_train_seconds", candidate_train_seconds)
    check_same_shape("candidate_train_seconds", candidate, "baseline_train_seconds", baseline)
    timed = ~(np.isnan(baseline).all(axis=1) | np.isnan(candidate).all(axis=1))
    ratio, paired_ratio = _estimate_ratios(
        baseline[timed], candidate[timed], generator, confidence, num_resamples
    )
    return EpochTimeComparison(
        ratio, paired_ratio, summarize_epoch_time(baseline), summarize_epoch_time(candidate)
    )


def _estimate_ratios(
    baseline: FloatArray,
    candidate: FloatArray,
    generator: np.random.Generator,
    confidence: float,
    num_resamples: int,
) -> tuple[Estimate, Estimate]:
    """Estimate the ratio and the paired ratio of seeds at which both variants were timed."""
    count = len(baseline)
    if count == 0:
        return omit_interval(None, 0, confidence), omit_interval(None, 0, confidence)
    ratio = float(find_medians(candidate.ravel()) / find_medians(baseline.ravel()))
    seed_ratios = find_medians(candidate) / find_medians(baseline)
    paired_ratio = float(np.median(seed_ratios))
    if count < find_min_count(confidence):
        return omit_interval(ratio, count, confidence), omit_interval(
            paired_ratio, count, confidence
        )
    seeds = draw_seeds(count, num_resamples, generator)
    resampled = find_pooled_medians(candidate, seeds) / find_pooled_medians(baseline, seeds)
    resampled_paired = np.median(seed_ratios[seeds], axis=1)
    estimates = [
        Estimate(
            value,
            *find_percentile_limits(values, count, confidence),
            confidence=confidence,
            method=Method.PERCENTILE,
            count=count,
        )
        for value, values in ((ratio, resampled), (paired_ratio, resampled_paired))
    ]
    return estimates[0], estimates[1]
