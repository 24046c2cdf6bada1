"""How long the trials of one variant take to reach a target accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    check_same_shape,
    read_matrix,
    read_seconds,
)
from bnbench.stats.arrival import find_arrivals
from bnbench.stats.estimates import Estimate, omit_interval
from bnbench.stats.survival import estimate_median_time


@dataclass(frozen=True)
class Convergence:
    """Time to a target accuracy, over the trials of one variant."""

    target_accuracy: float
    """Accuracy to reach, a fraction in [0, 1]."""
    num_trials: int
    """All trials, including those that never arrive."""
    num_arrived: int
    """Trials that reached the target."""
    arrival_epochs: tuple[int | None, ...]
    """First epoch of each trial at the target, counted from 1; ``None`` for never."""
    epochs: Estimate
    """Median epochs to the target."""
    steps: Estimate
    """Median optimizer steps to the target."""
    train_seconds: Estimate
    """Median seconds of training to the target."""


def summarize_convergence(
    accuracy: ArrayLike,
    train_seconds: ArrayLike,
    target_accuracy: float,
    steps_per_epoch: int,
) -> Convergence:
    """Summarize epochs, steps and seconds to a target; a trial that never arrives is censored.

    A trial that never arrives is censored after its last epoch. A trial that diverged and stopped
    is censored after the full number of epochs, and at the seconds of the longest trial:
    dropping it would flatter the variant. A trial without times counts in epochs and steps only.

    Args:
        accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN after divergence.
        train_seconds: same shape, seconds of training of each epoch alone (not cumulative),
            positive; NaN for an epoch that was not trained, and for all epochs of a trial that
            was not timed.
        target_accuracy: fraction in [0, 1].
        steps_per_epoch: optimizer steps per epoch, at least 1.

    Returns:
        Kaplan-Meier medians with their 95 % intervals.

    Raises:
        ValueError: if a shape differs or a value is outside its range.

    Source: see :func:`~bnbench.stats.survival.estimate_median_time`.
    """
    matrix = read_matrix("accuracy", accuracy)
    seconds = read_seconds("train_seconds", train_seconds)
    check_same_shape("train_seconds", seconds, "accuracy", matrix)
    if steps_per_epoch < 1:
        raise ValueError(
            f"steps_per_epoch: expected a whole number of at least 1, got {steps_per_epoch}"
        )
    arrivals = find_arrivals(matrix, target_accuracy)
    arrived = np.array([epoch is not None for epoch in arrivals])
    last_epochs = np.array([epoch or matrix.shape[1] for epoch in arrivals], dtype=np.int64)
    if np.isnan(seconds).all():
        in_seconds = omit_interval(None, len(arrivals))
    else:
        timed = ~np.isnan(seconds).all(axis=1) | np.isnan(matrix).all(axis=1)
        watched = _sum_watched_seconds(seconds[timed], last_epochs[timed], arrived[timed])
        in_seconds = estimate_median_time(watched, arrived[timed])
    return Convergence(
        target_accuracy=target_accuracy,
        num_trials=len(arrivals),
        num_arrived=int(arrived.sum()),
        arrival_epochs=arrivals,
        epochs=estimate_median_time(last_epochs, arrived),
        steps=estimate_median_time(last_epochs * steps_per_epoch, arrived),
        train_seconds=in_seconds,
    )


def _sum_watched_seconds(
    seconds: FloatArray, last_epochs: IntArray, arrived: BoolArray
) -> FloatArray:
    """Sum each trial's seconds up to its arrival, or up to where it is censored."""
    watched = np.arange(seconds.shape[1])[None, :] < last_epochs[:, None]
    untrained = np.any(np.isnan(seconds) & watched, axis=1)
    if np.any(untrained & arrived):
        row = int(np.argmax(untrained & arrived))
        raise ValueError(
            f"train_seconds: expected seconds for every epoch up to a trial's arrival, "
            f"got NaN in row {row} before epoch {int(last_epochs[row])}"
        )
    longest = float(np.nansum(seconds, axis=1).max())
    sums: FloatArray = np.where(untrained, longest, np.where(watched, seconds, 0.0).sum(axis=1))
    return sums
