"""How long the trials of one variant take to a target accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    check_same_shape,
    check_seconds,
    read_matrix,
)
from bnbench.stats.arrival import find_arrivals
from bnbench.stats.estimates import DEFAULT_CONFIDENCE, Estimate, undefined_interval
from bnbench.stats.survival import estimate_median_time


@dataclass(frozen=True)
class Convergence:
    """Time to a target accuracy over the trials of one variant.

    Attributes:
        target_accuracy: fraction in [0, 1].
        num_trials: all trials, arrived or not.
        num_arrived: trials that reached the target.
        arrival_epochs: for each trial the epoch, counted from 1; ``None`` for never.
        epochs: median epochs to the target.
        steps: median optimizer steps to the target.
        train_seconds: median seconds of training to the target.
    """

    target_accuracy: float
    num_trials: int
    num_arrived: int
    arrival_epochs: tuple[int | None, ...]
    epochs: Estimate
    steps: Estimate
    train_seconds: Estimate


def summarize_convergence(
    accuracy: ArrayLike,
    train_seconds: ArrayLike,
    target_accuracy: float,
    steps_per_epoch: int,
    *,
    confidence: float = DEFAULT_CONFIDENCE,
) -> Convergence:
    """Sum up epochs, steps and seconds to a target; trials that never arrive are censored.

    A trial that never arrives is watched until the end of its last epoch. One that diverged
    and stopped counts as watched to the full number of epochs, and in seconds as long as the
    longest trial: it will not arrive later, and leaving it out would flatter the variant. A trial
    that was trained but not timed counts for epochs and steps, and not for seconds.

    Args:
        accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN after divergence.
        train_seconds: same shape, seconds of training of each epoch alone (not summed up),
            positive; NaN for epochs that were not trained, and for all epochs of a trial that
            was not timed.
        target_accuracy: fraction in [0, 1].
        steps_per_epoch: optimizer steps in one epoch, at least 1.
        confidence: confidence level, in (0, 1).

    Returns:
        The medians with their intervals, after Kaplan and Meier.

    Raises:
        ValueError: if a shape or a value is not as said.

    Source: see :func:`~bnbench.stats.survival.estimate_median_time`.
    """
    matrix = read_matrix("accuracy", accuracy)
    seconds = read_matrix("train_seconds", train_seconds)
    check_same_shape("accuracy", matrix, "train_seconds", seconds)
    check_seconds("train_seconds", seconds)
    if steps_per_epoch < 1:
        raise ValueError(f"steps_per_epoch must be at least 1, got {steps_per_epoch}")
    arrivals = find_arrivals(matrix, target_accuracy)
    arrived = np.array([epoch is not None for epoch in arrivals])
    last_epochs = np.array([epoch or matrix.shape[1] for epoch in arrivals], dtype=np.int64)
    epochs = estimate_median_time(last_epochs, arrived, confidence=confidence)
    steps = estimate_median_time(last_epochs * steps_per_epoch, arrived, confidence=confidence)
    timed = ~np.isnan(seconds).all(axis=1) | np.isnan(matrix).all(axis=1)
    if np.isnan(seconds).all():
        in_seconds = undefined_interval(None, len(arrivals), confidence)
    else:
        watched = _sum_watched_seconds(seconds[timed], last_epochs[timed], arrived[timed])
        in_seconds = estimate_median_time(watched, arrived[timed], confidence=confidence)
    return Convergence(
        target_accuracy=target_accuracy,
        num_trials=len(arrivals),
        num_arrived=int(arrived.sum()),
        arrival_epochs=arrivals,
        epochs=epochs,
        steps=steps,
        train_seconds=in_seconds,
    )


def _sum_watched_seconds(
    seconds: FloatArray, last_epochs: IntArray, arrived: BoolArray
) -> FloatArray:
    """Sum each trial's seconds up to its arrival, or for as long as it counts as watched."""
    watched = np.arange(seconds.shape[1])[None, :] < last_epochs[:, None]
    untrained = np.any(np.isnan(seconds) & watched, axis=1)
    if np.any(untrained & arrived):
        row = int(np.argmax(untrained & arrived))
        raise ValueError(
            f"train_seconds must be known up to the arrival of a trial, "
            f"got NaN in row {row} before epoch {int(last_epochs[row])}"
        )
    longest = float(np.nansum(seconds, axis=1).max())
    sums: FloatArray = np.where(untrained, longest, np.where(watched, seconds, 0.0).sum(axis=1))
    return sums
