"""The speed-up to a target, split into fewer steps and costlier steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import (
    FloatArray,
    IntArray,
    check_same_shape,
    read_matrix,
    read_seconds,
)
from bnbench.stats.arrival import find_arrivals
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    DEFAULT_NUM_RESAMPLES,
    Estimate,
    Method,
    find_min_count,
)
from bnbench.stats.medians import find_pooled_medians
from bnbench.stats.resampling import draw_seeds, find_percentile_limits


@dataclass(frozen=True)
class SpeedUp:
    """How many times sooner the candidate reaches the target, and why.

    The values satisfy ``speed_up = fewer_steps / costlier_steps`` exactly.
    """

    target_accuracy: float
    """Accuracy to reach, a fraction in [0, 1]."""
    fewer_steps: Estimate
    """Median steps to the target, baseline / candidate; 2 means half as many steps."""
    costlier_steps: Estimate
    """Median seconds per step, candidate / baseline; 1.2 means 20 % more."""
    speed_up: Estimate
    """Seconds to the target, baseline / candidate; above 1 the candidate is sooner."""


def estimate_speed_up(
    baseline_accuracy: ArrayLike,
    candidate_accuracy: ArrayLike,
    baseline_train_seconds: ArrayLike,
    candidate_train_seconds: ArrayLike,
    generator: np.random.Generator,
    *,
    target_accuracy: float,
    baseline_steps_per_epoch: int,
    candidate_steps_per_epoch: int,
    num_resamples: int = DEFAULT_NUM_RESAMPLES,
) -> SpeedUp:
    """Estimate how much sooner the candidate reaches the target, split into its two causes.

    Steps to the target are each variant's median over trials. A trial that never arrives counts
    as longer than any other (the Kaplan-Meier median, since all trials train for the same number
    of epochs). Seconds per step are the median over all epochs of all trials, divided by the
    steps per epoch. A value is ``None`` if fewer than half of a variant's trials arrive.

    Seeds are resampled, with both variants together; all three numbers share the resamples, and
    the target stays fixed. The interval is the percentile bootstrap's, widened for few seeds.
    An end is ``None`` if it is beyond what was observed. Fewer than 6 seeds have no interval.

    Args:
        baseline_accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN is diverged.
        candidate_accuracy: same shape, the same seeds in the same order.
        baseline_train_seconds: same shape, seconds of each epoch alone; NaN if not trained.
        candidate_train_seconds: same shape.
        generator: source of the resamples.
        target_accuracy: fraction in [0, 1].
        baseline_steps_per_epoch: optimizer steps per epoch of the baseline, at least 1.
        candidate_steps_per_epoch: optimizer steps per epoch of the candidate, at least 1.
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        The speed-up and its two factors with 95 % intervals; ``count`` is the number of seeds.

    Raises:
        ValueError: if a shape differs or a value is outside its range.

    Source: Dahl et al. (2023), "Benchmarking Neural Network Training Algorithms", arXiv
    2306.07179, for time to a target; Efron and Tibshirani (1993), "An Introduction to the
    Bootstrap", section 13.3.
    """
    accuracies = [
        read_matrix("baseline_accuracy", baseline_accuracy),
        read_matrix("candidate_accuracy", candidate_accuracy),
    ]
    seconds = [
        read_seconds("baseline_train_seconds", baseline_train_seconds),
        read_seconds("candidate_train_seconds", candidate_train_seconds),
    ]
    for name, values in (
        ("candidate_accuracy", accuracies[1]),
        ("baseline_train_seconds", seconds[0]),
        ("candidate_train_seconds", seconds[1]),
    ):
        check_same_shape(name, values, "baseline_accuracy", accuracies[0])
    steps_per_epoch = (baseline_steps_per_epoch, candidate_steps_per_epoch)
    if min(steps_per_epoch) < 1:
        raise ValueError(
            f"steps_per_epoch: expected whole numbers of at least 1, got {steps_per_epoch}"
        )
    steps = [
        _count_steps(accuracy, target_accuracy, per_epoch)
        for accuracy, per_epoch in zip(accuracies, steps_per_epoch, strict=True)
    ]
    costs = [durations / per for durations, per in zip(seconds, steps_per_epoch, strict=True)]
    count = len(steps[0])
    factors = _compute_factors(steps, costs, np.arange(count, dtype=np.int64)[None, :])
    resampled = None
    if count >= find_min_count():
        resampled = _compute_factors(steps, costs, draw_seeds(count, num_resamples, generator))
    estimates = []
    for index, value in enumerate(factors):
        # Infinity: the baseline never arrives. 0: the candidate never does. Both are undefined.
        known = float(value[0]) if np.isfinite(value[0]) and value[0] > 0.0 else None
        low, high = None, None
        if resampled is not None:
            low, high = find_percentile_limits(resampled[index], count)
            low, high = low or None, high or None
        method = Method.PERCENTILE if low is not None or high is not None else None
        estimates.append(Estimate(known, low, high, DEFAULT_CONFIDENCE, method, count))
    return SpeedUp(target_accuracy, estimates[0], estimates[1], estimates[2])


def _count_steps(accuracy: FloatArray, target_accuracy: float, per_epoch: int) -> FloatArray:
    """Count each trial's steps to the target, infinity for one that never arrives."""
    arrivals = find_arrivals(accuracy, target_accuracy)
    return np.array([np.inf if epoch is None else epoch * per_epoch for epoch in arrivals])


def _compute_factors(
    steps: list[FloatArray], costs: list[FloatArray], seeds: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute fewer steps, costlier steps and speed-up of each resample.

    Args:
        steps: baseline's and candidate's steps to the target, shape (num_seeds,) each.
        costs: baseline's and candidate's seconds per step, shape (num_seeds, num_epochs) each.
        seeds: row numbers, shape (num_resamples, num_seeds).
    """
    middle = (seeds.shape[1] + 1) // 2 - 1  # the first by which half of the trials arrived
    medians = [np.sort(values[seeds], axis=1)[:, middle] for values in steps]
    with np.errstate(invalid="ignore"):  # inf / inf: neither arrives
        fewer = medians[0] / medians[1]
        costlier = find_pooled_medians(costs[1], seeds) / find_pooled_medians(costs[0], seeds)
        return fewer, costlier, fewer / costlier
