"""The median of right-censored times: some are only known to be longer than observed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bnbench.stats.arrays import FloatArray, read_vector
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    Estimate,
    Method,
    find_min_count,
    omit_interval,
)

ROUNDING = 1e-12
"""Tolerance of comparisons: products such as 9/10 * 7/9 * 5/7 miss 1/2 by rounding."""


def estimate_median_time(times: ArrayLike, arrived: ArrayLike) -> Estimate:
    """Estimate the median time to an event from right-censored times (Kaplan-Meier).

    With d events among the n trials at risk at time t::

        S(t) = product over event times u <= t of (1 - d_u / n_u)
        median = least t with S(t) <= 1/2

    The 95 % interval holds the times at which the pointwise log-log interval of S contains 1/2:
    from the least t whose lower limit is at most 1/2 to the least t whose upper limit is. That
    interval is undefined where S is 1 or 0; there, the Clopper-Pearson limits of n or 0
    survivors among n are used. Fewer than 6 trials have no interval.

    Measured coverage (3,000 samples of exponential times, simulation error 0.4 points):

    ========================  =========  =========  ========
    censored                  30 trials  10 trials  6 trials
    ========================  =========  =========  ========
    30 % at random times      95.0 %     95.3 %     93.0 %
    all at the same time      95.6 %     94.4 %     96.9 %
    ========================  =========  =========  ========

    Args:
        times: shape (num_trials,), positive: time of the event, or the last time at which the
            trial was observed without it.
        arrived: shape (num_trials,), booleans: whether the event happened at ``times``.

    Returns:
        The median, in the unit of ``times``; ``value`` or ``high`` is ``None`` if it lies beyond
        what was observed.

    Raises:
        ValueError: if the shapes differ, or a time is not positive and finite.

    Source: Kaplan and Meier (1958), JASA 53(282); Brookmeyer and Crowley (1982), "A Confidence
    Interval for the Median Survival Time", Biometrics 38(1); the curve and its limits are
    computed by ``scipy.stats.ecdf``.
    """
    durations = read_vector("times", times)
    observed = np.asarray(arrived, dtype=np.bool_)
    if observed.shape != durations.shape:
        raise ValueError(
            f"arrived: expected shape {durations.shape}, as times has, got shape {observed.shape}"
        )
    wrong = durations[~(np.isfinite(durations) & (durations > 0.0))]
    if wrong.size:
        raise ValueError(f"times: expected positive, finite times, got {wrong[0]}")
    count = int(durations.size)
    curve = stats.ecdf(stats.CensoredData.right_censored(durations, ~observed)).sf
    moments, survival = np.asarray(curve.quantiles), np.asarray(curve.probabilities)
    median = _find_crossing(moments, survival)
    if count < find_min_count() or not observed.any():
        return omit_interval(median, count)
    with warnings.catch_warnings():
        # Undefined limits are expected: before the first event, and where no trial is left.
        warnings.simplefilter("ignore", RuntimeWarning)
        # Any: each end is a curve itself, which SciPy's type stubs do not know.
        limits: Any = curve.confidence_interval(DEFAULT_CONFIDENCE, method="log-log")
    lower = np.asarray(limits.low.probabilities)
    upper = np.asarray(limits.high.probabilities)
    tail = (1.0 - DEFAULT_CONFIDENCE) / 2.0
    none_left = survival <= ROUNDING
    all_left = survival >= 1.0 - ROUNDING
    lower = np.where(none_left, 0.0, np.where(all_left, tail ** (1.0 / count), lower))
    upper = np.where(none_left, 1.0 - tail ** (1.0 / count), np.where(all_left, 1.0, upper))
    low, high = _find_crossing(moments, lower), _find_crossing(moments, upper)
    method = Method.KAPLAN_MEIER if low is not None or high is not None else None
    return Estimate(median, low, high, DEFAULT_CONFIDENCE, method, count)


def _find_crossing(moments: FloatArray, survival: FloatArray) -> float | None:
    """Find the least moment at which a falling step function is at most 1/2, if any."""
    below = survival <= 0.5 + ROUNDING
    return float(moments[below.argmax()]) if below.any() else None
