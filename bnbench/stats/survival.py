"""The median of times of which some are known only to be longer than observed."""

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
    check_confidence,
    count_least_for_interval,
    undefined_interval,
)

ROUNDING = 1e-12
"""Kaplan-Meier products such as 9/10 * 7/9 * 5/7 miss 1/2 by rounding."""


def estimate_median_time(
    times: ArrayLike,
    arrived: ArrayLike,
    *,
    confidence: float = DEFAULT_CONFIDENCE,
) -> Estimate:
    """Estimate the median time to an event from right-censored times (Kaplan-Meier).

    With d events among the n still under way at time t::

        S(t) = product over event times u <= t of (1 - d_u / n_u)
        median = least t with S(t) <= 1/2

    The interval holds the times at which the pointwise log-log interval of S contains 1/2: from
    the least t whose lower limit is at most 1/2 to the least t whose upper limit is. Once S
    reaches 0, where that interval is not defined, the limits of no survivor out of n after
    Clopper and Pearson take its place. Below 6 trials there is no interval.

    Measured coverage of the 95 % interval (3,000 samples of exponential times, simulation error
    0.4 points): 95.0 % with 30 trials of which 30 % are censored at random, 95.6 % with 30 all
    watched to the same time; 95.3 % and 94.4 % with 10, 93.0 % and 96.9 % with 6.

    Args:
        times: shape (num_trials,), positive: time of the event, or the time until which the
            trial was watched without it.
        arrived: shape (num_trials,), booleans: whether ``times`` is that of the event.
        confidence: confidence level, in (0, 1).

    Returns:
        The median, in the unit of ``times``; value or high is ``None`` if it lies beyond what
        was observed.

    Raises:
        ValueError: if shapes differ, or a time is not a positive number.

    Source: Kaplan and Meier (1958), JASA 53(282); Brookmeyer and Crowley (1982), "A Confidence
    Interval for the Median Survival Time", Biometrics 38(1); the curve and its limits are
    computed by ``scipy.stats.ecdf``.
    """
    durations = read_vector("times", times)
    observed = np.asarray(arrived, dtype=np.bool_)
    if observed.shape != durations.shape:
        raise ValueError(
            f"times and arrived must have the same shape, "
            f"got {durations.shape} and {observed.shape}"
        )
    if not np.all(np.isfinite(durations) & (durations > 0.0)):
        raise ValueError(f"times must be positive and finite, got {durations.tolist()}")
    check_confidence(confidence)
    count = int(durations.size)
    curve = stats.ecdf(stats.CensoredData.right_censored(durations, ~observed)).sf
    moments, survival = np.asarray(curve.quantiles), np.asarray(curve.probabilities)
    median = _find_crossing(moments, survival)
    if count < count_least_for_interval(confidence) or not observed.any():
        return undefined_interval(median, count, confidence)
    with warnings.catch_warnings():
        # Undefined limits are expected: before the first event, and where no trial is left.
        warnings.simplefilter("ignore", RuntimeWarning)
        # Any: each end is again a curve, which SciPy's type stubs do not know.
        limits: Any = curve.confidence_interval(confidence, method="log-log")
    lower = np.asarray(limits.low.probabilities)
    upper = np.asarray(limits.high.probabilities)
    tail = (1.0 - confidence) / 2.0
    none_left = survival <= ROUNDING
    all_left = survival >= 1.0 - ROUNDING
    lower = np.where(none_left, 0.0, np.where(all_left, tail ** (1.0 / count), lower))
    upper = np.where(none_left, 1.0 - tail ** (1.0 / count), np.where(all_left, 1.0, upper))
    low, high = _find_crossing(moments, lower), _find_crossing(moments, upper)
    method = Method.KAPLAN_MEIER if low is not None or high is not None else None
    return Estimate(median, low, high, confidence, method, count)


def _find_crossing(moments: FloatArray, survival: FloatArray) -> float | None:
    """Find the least moment at which a falling step function is at most 1/2, if there is one."""
    below = survival <= 0.5 + ROUNDING
    return float(moments[below.argmax()]) if below.any() else None
