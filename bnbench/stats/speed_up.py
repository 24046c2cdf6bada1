"""A speed-up split in two: fewer steps to the target, and costlier steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import FloatArray, IntArray, check_same_shape, check_seconds, read_matrix
from bnbench.stats.arrival import find_arrivals
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    DEFAULT_NUM_RESAMPLES,
    Estimate,
    Method,
    check_confidence,
    count_least_for_interval,
)
from bnbench.stats.medians import find_pooled_medians
from bnbench.stats.resampling import draw_seeds, find_percentile_limits


@dataclass(frozen=True)
class SpeedUp:
    """How many times sooner the candidate reaches the target, and why.

    ``speed_up = fewer_steps / costlier_steps``, exactly, for the values.

    Attributes:
        target_accuracy: fraction in [0, 1].
        fewer_steps: median steps to the target, baseline / candidate: 2 is half as many steps.
        costlier_steps: median seconds per step, candidate / baseline: 1.2 is 20 % dearer.
        speed_up: seconds to the target, baseline / candidate: above 1 the candidate is sooner.
    """

    target_accuracy: float
    fewer_steps: Estimate
    costlier_steps: Estimate
    speed_up: Estimate


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
    confidence: float = DEFAULT_CONFIDENCE,
    num_resamples: int = DEFAULT_NUM_RESAMPLES,
) -> SpeedUp:
    """Estimate how much sooner the candidate reaches the target, and split it into its causes.

    Steps to the target are each variant's median over trials, where a trial that never arrives
    counts as longer than any other (the Kaplan-Meier median, since all are trained for the same
    number of epochs). Seconds per step are the median over all epochs of all trials, divided
    by the steps of an epoch. ``None`` where fewer than half of a variant's trials arrive.

    Seeds are resampled, both variants together and all three numbers from the same resamples;
    the target stays as given. The interval is the percentile bootstrap's, widened for few seeds;
    an end is ``None`` where it lies beyond what was observed. Below 6 seeds there is no interval.

    Args:
        baseline_accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN is diverged.
        candidate_accuracy: same shape, the same seeds in the same order.
        baseline_train_seconds: same shape, seconds of each epoch alone; NaN if not trained.
        candidate_train_seconds: same shape.
        generator: where the resamples come from.
        target_accuracy: fraction in [0, 1].
        baseline_steps_per_epoch: optimizer steps in an epoch of the baseline, at least 1.
        candidate_steps_per_epoch: the same of the candidate.
        confidence: confidence level, in (0, 1).
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        The speed-up and its two factors; ``count`` is the seeds.

    Raises:
        ValueError: if a shape or a value is not as said.

    Source: Dahl et al. (2023), "Benchmarking Neural Network Training Algorithms", arXiv
    2306.07179, for time to a target; Efron and Tibshirani (1993), section 13.3.
    """
    accuracies = [
        read_matrix("baseline_accuracy", baseline_accuracy),
        read_matrix("candidate_accuracy", candidate_accuracy),
    ]
    seconds = [
        read_matrix("baseline_train_seconds", baseline_train_seconds),
        read_matrix("candidate_train_seconds", candidate_train_seconds),
    ]
    check_same_shape("baseline_accuracy", accuracies[0], "candidate_accuracy", accuracies[1])
    for name, durations in zip(("baseline", "candidate"), seconds, strict=True):
        check_same_shape("baseline_accuracy", accuracies[0], f"{name}_train_seconds", durations)
        check_seconds(f"{name}_train_seconds", durations)
    steps_per_epoch = (baseline_steps_per_epoch, candidate_steps_per_epoch)
    if min(steps_per_epoch) < 1:
        raise ValueError(f"steps per epoch must be at least 1, got {steps_per_epoch}")
    check_confidence(confidence)

    steps = [
        _count_steps(accuracy, target_accuracy, per_epoch)
        for accuracy, per_epoch in zip(accuracies, steps_per_epoch, strict=True)
    ]
    costs = [durations / per for durations, per in zip(seconds, steps_per_epoch, strict=True)]
    count = len(steps[0])
    everyone = np.arange(count, dtype=np.int64)[None, :]
    factors = _compute_factors(steps, costs, everyone)
    resampled = None
    if count >= count_least_for_interval(confidence):
        resampled = _compute_factors(steps, costs, draw_seeds(count, num_resamples, generator))
    estimates = []
    for index, value in enumerate(factors):
        # A factor of 0 is that of a candidate that never arrives: as undefined as infinity.
        known = float(value[0]) if np.isfinite(value[0]) and value[0] > 0.0 else None
        low, high = None, None
        if resampled is not None:
            low, high = find_percentile_limits(resampled[index], count, confidence)
            low, high = low or None, high or None
        method = Method.PERCENTILE if low is not None or high is not None else None
        estimates.append(Estimate(known, low, high, confidence, method, count))
    return SpeedUp(target_accuracy, estimates[0], estimates[1], estimates[2])


def _count_steps(accuracy: FloatArray, target_accuracy: float, per_epoch: int) -> FloatArray:
    """Count each trial's steps to the target, infinity for one that never arrives."""
    arrivals = find_arrivals(accuracy, target_accuracy)
    return np.array([np.inf if epoch is None else epoch * per_epoch for epoch in arrivals])


def _compute_factors(
    steps: list[FloatArray], costs: list[FloatArray], seeds: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute fewer steps, costlier steps and speed-up for each row of seeds drawn.

    Args:
        steps: baseline's and candidate's steps to the target, shape (num_seeds,) each.
        costs: baseline's and candidate's seconds per step, shape (num_seeds, num_epochs) each.
        seeds: row numbers, shape (num_resamples, num_seeds).
    """
    middle = (seeds.shape[1] + 1) // 2 - 1  # least step count that half of the trials need
    medians = [np.sort(values[seeds], axis=1)[:, middle] for values in steps]
    with np.errstate(invalid="ignore"):  # inf / inf: neither arrives
        fewer = medians[0] / medians[1]
        costlier = find_pooled_medians(costs[1], seeds) / find_pooled_medians(costs[0], seeds)
        return fewer, costlier, fewer / costlier
