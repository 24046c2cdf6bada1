"""Accuracy by epoch, summarized over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import read_accuracy
from bnbench.stats.estimates import Estimate
from bnbench.stats.means import estimate_means


@dataclass(frozen=True)
class EpochSummary:
    """The accuracy of all trials at one epoch."""

    epoch: int
    """Number of the epoch, from 1."""
    mean: Estimate
    """Mean over seeds, in [0, 1]; its ``count`` is the trials with an accuracy."""
    deviation: float | None
    """Standard deviation over seeds (divided by n - 1); ``None`` for fewer than 2 trials."""
    lowest: float | None
    """Least accuracy; ``None`` if no trial has one."""
    median: float | None
    """Median accuracy; ``None`` if no trial has one."""
    highest: float | None
    """Greatest accuracy; ``None`` if no trial has one."""


def summarize_curve(
    accuracy: ArrayLike, generator: np.random.Generator
) -> tuple[EpochSummary, ...]:
    """Summarize accuracy over seeds, epoch by epoch.

    Each 95 % interval holds for its own epoch. The band of all epochs together covers the whole
    curve less often than that.

    Args:
        accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN is a missing value.
        generator: source of the resamples.

    Returns:
        One summary per epoch.

    Raises:
        ValueError: if the shape differs or a value is outside its range.

    Source: see :func:`~bnbench.stats.means.estimate_means`.
    """
    matrix = read_accuracy("accuracy", accuracy)
    summaries = []
    for index, mean in enumerate(estimate_means(matrix, generator, bounds=(0.0, 1.0))):
        column = matrix[:, index]
        present = column[~np.isnan(column)]
        summaries.append(
            EpochSummary(
                epoch=index + 1,
                mean=mean,
                deviation=float(present.std(ddof=1)) if present.size > 1 else None,
                lowest=float(present.min()) if present.size else None,
                median=float(np.median(present)) if present.size else None,
                highest=float(present.max()) if present.size else None,
            )
        )
    return tuple(summaries)
