"""Bootstrap intervals over seeds: trials are resampled, never single epochs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from scipy import stats

from bnbench.stats.arrays import FloatArray, IntArray
from bnbench.stats.estimates import DEFAULT_CONFIDENCE, check_confidence

RESAMPLES_PER_BATCH = 2500
"""Resamples in memory at once; the numbers drawn do not depend on it."""


def widen_confidence(confidence: float, count: int) -> float:
    """Find the level at which a bootstrap interval of few values covers ``confidence``.

    A bootstrap interval of n values is too short: it uses the normal quantile and divides by n
    instead of n - 1. The level returned corrects both::

        alpha' / 2 = Phi(-sqrt(n / (n - 1)) * t(1 - alpha / 2, n - 1))

    For 95 % it is 96.3 % with 30 values and 98.3 % with 10.

    Args:
        confidence: the coverage wanted, in (0, 1).
        count: number of values that are resampled, at least 2.

    Returns:
        The level to use in the bootstrap, in (confidence, 1).

    Raises:
        ValueError: if there are fewer than 2 values, or ``confidence`` is outside (0, 1).

    Source: Hesterberg (2015), "What Teachers Should Know About the Bootstrap", The American
    Statistician 69(4), the "expanded percentile" interval; here for BCa as well.
    """
    check_confidence(confidence)
    if count < 2:
        raise ValueError(f"count: expected at least 2 values to resample, got {count}")
    quantile = float(stats.t.ppf((1.0 + confidence) / 2.0, count - 1))
    return 1.0 - 2.0 * float(stats.norm.cdf(-math.sqrt(count / (count - 1)) * quantile))


def find_bca_limits(
    values: FloatArray | IntArray,
    statistic: Callable[..., FloatArray],
    generator: np.random.Generator,
    confidence: float,
    num_resamples: int,
) -> tuple[FloatArray, FloatArray]:
    """Find bias-corrected and accelerated (BCa) bootstrap limits, widened for few values.

    Args:
        values: shape (..., num_seeds); all rows share the resamples of the last axis.
        statistic: called as ``statistic(resampled, axis=-1)``; reduces the last axis.
        generator: source of the resamples.
        confidence: confidence level, in (0, 1).
        num_resamples: number of resamples, at least 1.

    Returns:
        Lower and upper limits, shape (...); NaN where all resamples give the same value.

    Source: Efron (1987), "Better Bootstrap Confidence Intervals", JASA 82(397); Efron and
    Tibshirani (1993), "An Introduction to the Bootstrap", section 14.3. Computed by
    ``scipy.stats.bootstrap``.
    """
    with warnings.catch_warnings():
        # Constant samples are expected: the caller handles their NaN.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        warnings.filterwarnings("ignore", "invalid value encountered", RuntimeWarning)
        warnings.filterwarnings("ignore", "divide by zero encountered", RuntimeWarning)
        interval = stats.bootstrap(
            (values,),
            statistic,
            n_resamples=num_resamples,
            batch=RESAMPLES_PER_BATCH,
            vectorized=True,
            axis=-1,
            confidence_level=widen_confidence(confidence, values.shape[-1]),
            method="BCa",
            rng=generator,
        ).confidence_interval
    return np.asarray(interval.low), np.asarray(interval.high)


def draw_seeds(num_seeds: int, num_resamples: int, generator: np.random.Generator) -> IntArray:
    """Draw the seeds of each resample, with replacement.

    Returns:
        Row numbers in [0, num_seeds), shape (num_resamples, num_seeds).
    """
    return generator.integers(0, num_seeds, size=(num_resamples, num_seeds), dtype=np.int64)


def find_percentile_limits(
    resampled: FloatArray, num_seeds: int, confidence: float = DEFAULT_CONFIDENCE
) -> tuple[float | None, float | None]:
    """Find percentile bootstrap limits of values that may be infinite, widened for few seeds.

    The limits are order statistics: nothing is interpolated, since one of two neighbors may be
    infinite. Infinity means "not reached". NaN is an undefined resample. It counts as the
    least value for the lower limit and as the greatest for the upper limit, so that it can only
    widen the interval.

    Args:
        resampled: the statistic of each resample, shape (num_resamples,); may hold inf and NaN.
        num_seeds: number of seeds resampled, at least 2.
        confidence: confidence level, in (0, 1).

    Returns:
        Lower and upper limit; ``None`` for an end that is unbounded.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", section 13.3.
    """
    tail = (1.0 - widen_confidence(confidence, num_seeds)) / 2.0
    undefined = np.isnan(resampled)
    low = float(np.quantile(np.where(undefined, -np.inf, resampled), tail, method="lower"))
    high = float(np.quantile(np.where(undefined, np.inf, resampled), 1.0 - tail, method="higher"))
    return (low if math.isfinite(low) else None), (high if math.isfinite(high) else None)
