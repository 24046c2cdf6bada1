"""When a trial first reaches a target accuracy, and which target to ask for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import check_accuracy, read_matrix


def choose_target(baseline_accuracy: ArrayLike) -> float | None:
    """Choose the highest accuracy that at least half of the baseline trials reach.

    Each trial's best accuracy over epochs is taken; of the n bests, sorted from the highest
    down, the target is number ``ceil(n / 2)``: 2 of 4 trials arrive, 2 of 3, 1 of 1 (more where
    bests are equal). For an odd n this is the median; for an even n the greater of the two
    middle values, since their mean would be reached by half of the trials as well, but by no
    trial exactly. At this level the Kaplan-Meier median of the baseline is just reached.

    Args:
        baseline_accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN (diverged)
            reaches nothing.

    Returns:
        The target, a fraction in [0, 1]; ``None`` if fewer than half of the trials have any
        accuracy.

    Raises:
        ValueError: if the shape or a value is not as said.
    """
    accuracy = read_matrix("baseline_accuracy", baseline_accuracy)
    check_accuracy("baseline_accuracy", accuracy)
    bests = np.where(np.isnan(accuracy), -np.inf, accuracy).max(axis=1)
    target = float(np.sort(bests)[::-1][(bests.size + 1) // 2 - 1])
    return target if np.isfinite(target) else None


def find_arrivals(accuracy: ArrayLike, target_accuracy: float) -> tuple[int | None, ...]:
    """Find the first epoch at which each trial is at or above the target.

    Nothing is interpolated between epochs: the accuracy is known at the end of an epoch only,
    so that an arrival is late by up to one epoch, for all variants alike. A trial that falls
    below the target again has arrived all the same.

    Args:
        accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN never arrives.
        target_accuracy: fraction in [0, 1].

    Returns:
        For each trial the epoch, counted from 1; ``None`` for one that never arrives.

    Raises:
        ValueError: if the shape or a value is not as said.
    """
    matrix = read_matrix("accuracy", accuracy)
    check_accuracy("accuracy", matrix)
    if not 0.0 <= target_accuracy <= 1.0:
        raise ValueError(f"target_accuracy must be in [0, 1], got {target_accuracy}")
    arrived = matrix >= target_accuracy
    return tuple(int(row.argmax()) + 1 if row.any() else None for row in arrived)
