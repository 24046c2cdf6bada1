"""Means over seeds and their intervals: BCa bootstrap, or Student's t for few trials."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bnbench.stats.arrays import FloatArray, read_matrix
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    DEFAULT_NUM_RESAMPLES,
    Estimate,
    Method,
    check_confidence,
    omit_interval,
)
from bnbench.stats.resampling import find_bca_limits

MIN_COUNT_FOR_BCA = 10
"""Fewest values for the BCa interval; below, its coverage is too low and Student's t is used."""


def estimate_means(
    values: ArrayLike,
    generator: np.random.Generator,
    *,
    bounds: tuple[float, float] | None = None,
    confidence: float = DEFAULT_CONFIDENCE,
    num_resamples: int = DEFAULT_NUM_RESAMPLES,
) -> tuple[Estimate, ...]:
    """Estimate the mean of each column with its confidence interval.

    ``mean = sum(values) / n``. From 10 values on, the interval is the BCa bootstrap's, widened
    for few values (see :func:`~bnbench.stats.resampling.widen_confidence`). Below, it is
    ``mean +- t(n - 1) * s / sqrt(n)``. One value has no interval. Values that are all equal have
    an interval of width zero.

    Measured coverage of the 95 % interval (3,000 samples, simulation error 0.4 points):

    ===================  ==========  ==========
    distribution         30 values   10 values
    ===================  ==========  ==========
    normal               95.4 %      94.4 %
    exponential          94.5 %      90.8 %
    1 trial in 10 fails  94.5 %      71 %
    Student t, 3 d. f.   91.7 %      92.4 %
    ===================  ==========  ==========

    Where one trial in ten fails, ten trials often show no failure, and no method can know.
    Plain BCa, not widened, covers 94.1 % of normal samples of 30 and 90.0 % of 10.

    Args:
        values: shape (num_seeds, num_columns); NaN is a missing value and is left out.
        generator: source of the resamples.
        bounds: least and greatest possible mean, where the interval is cut; ``None`` if unbounded.
        confidence: confidence level, in (0, 1).
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        One estimate per column; ``count`` is the number of values present.

    Raises:
        ValueError: if ``values`` is not two-dimensional or ``confidence`` is outside (0, 1).

    Source: Efron (1987), JASA 82(397), for BCa; Student (1908), Biometrika 6(1).
    """
    matrix = read_matrix("values", values)
    check_confidence(confidence)
    columns = matrix.T
    present = ~np.isnan(columns)
    estimates: list[Estimate | None] = [None] * len(columns)
    # Columns with the same seeds present share their resamples and are computed at once.
    for pattern in dict.fromkeys(row.tobytes() for row in present):
        members = [i for i, row in enumerate(present) if row.tobytes() == pattern]
        complete = columns[members][:, present[members[0]]]
        found = _estimate_complete(complete, generator, bounds, confidence, num_resamples)
        for member, estimate in zip(members, found, strict=True):
            estimates[member] = estimate
    return tuple(estimate for estimate in estimates if estimate is not None)


def _estimate_complete(
    columns: FloatArray,
    generator: np.random.Generator,
    bounds: tuple[float, float] | None,
    confidence: float,
    num_resamples: int,
) -> list[Estimate]:
    """Estimate the mean of each row of ``columns``, shape (num_columns, count), without NaN."""
    count = columns.shape[1]
    if count == 0:
        return [omit_interval(None, 0, confidence) for _ in columns]
    means = columns.mean(axis=1)
    if count == 1:
        return [omit_interval(float(mean), 1, confidence) for mean in means]
    t_low, t_high = _find_t_limits(columns, confidence)
    bca_low = bca_high = np.full(len(columns), np.nan)
    if count >= MIN_COUNT_FOR_BCA:
        bca_low, bca_high = find_bca_limits(columns, np.mean, generator, confidence, num_resamples)
    least, greatest = bounds if bounds is not None else (-np.inf, np.inf)
    estimates = []
    for i, column in enumerate(columns):
        if column.min() == column.max():
            same = float(column[0])
            estimates.append(Estimate(same, same, same, confidence, Method.ALL_EQUAL, count))
            continue
        use_bca = np.isfinite(bca_low[i]) and np.isfinite(bca_high[i])
        low, high = (bca_low[i], bca_high[i]) if use_bca else (t_low[i], t_high[i])
        estimates.append(
            Estimate(
                float(means[i]),
                float(np.clip(low, least, greatest)),
                float(np.clip(high, least, greatest)),
                confidence,
                Method.BCA if use_bca else Method.STUDENT_T,
                count,
            )
        )
    return estimates


def _find_t_limits(columns: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Find Student's limits of the mean of each row, shape (num_columns, count), count >= 2."""
    count = columns.shape[1]
    means = columns.mean(axis=1)
    quantile = float(stats.t.ppf((1.0 + confidence) / 2.0, count - 1))
    margins = quantile * columns.std(axis=1, ddof=1) / np.sqrt(count)
    return means - margins, means + margins
