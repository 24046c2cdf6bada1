"""When a trial first reaches a target accuracy, and which target to use."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import read_accuracy


def choose_target(baseline_accuracy: ArrayLike) -> float | None:
    """Choose the highest accuracy that at least half of the baseline trials reach.

    Each trial counts with its best accuracy over epochs. Of the n bests, sorted from high to
    low, the target is number ``ceil(n / 2)``: 2 of 4 trials reach it, 2 of 3, 1 of 1 (more where
    bests are equal). For odd n this is the median. For even n it is the greater of the two
    middle values: half of the trials reach their mean as well, but none has exactly that
    accuracy. At this target the Kaplan-Meier median of the baseline always exists.

    Args:
        baseline_accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN (diverged)
            reaches no target.

    Returns:
        The target, a fraction in [0, 1]; ``None`` if fewer than half of the trials have any
        accuracy.

    Raises:
        ValueError: if the shape differs or a value is outside its range.
    """
    accuracy = read_accuracy("baseline_accuracy", baseline_accuracy)
    bests = np.where(np.isnan(accuracy), -np.inf, accuracy).max(axis=1)
    target = float(np.sort(bests)[::-1][(bests.size + 1) // 2 - 1])
    return target if np.isfinite(target) else None


def find_arrivals(accuracy: ArrayLike, target_accuracy: float) -> tuple[int | None, ...]:
    """Find the first epoch at which each trial is at or above the target.

    Accuracy is known only at the end of an epoch and is not interpolated. An arrival is
    therefore late by up to one epoch, for all variants alike. A trial that falls below the
    target later has still arrived.

    Args:
        accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN never arrives.
        target_accuracy: fraction in [0, 1].

    Returns:
        The epoch of each trial, counted from 1; ``None`` for a trial that never arrives.

    Raises:
        ValueError: if the shape differs or a value is outside its range.
    """
    matrix = read_accuracy("accuracy", accuracy)
    if not 0.0 <= target_accuracy <= 1.0:
        raise ValueError(
            f"target_accuracy: expected a fraction in [0, 1], got {target_accuracy}; "
            "divide percent by 100"
        )
    arrived = matrix >= target_accuracy
    return tuple(int(row.argmax()) + 1 if row.any() else None for row in arrived)
