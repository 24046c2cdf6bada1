"""A curve over epochs, summed up over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import check_accuracy, read_matrix
from bnbench.stats.estimates import DEFAULT_CONFIDENCE, DEFAULT_NUM_RESAMPLES, Estimate
from bnbench.stats.means import estimate_means


@dataclass(frozen=True)
class EpochSummary:
    """What the trials scored at one epoch.

    Attributes:
        epoch: 1 for the first.
        mean: mean over seeds with its interval; its ``count`` is the trials present.
        deviation: standard deviation over seeds (n - 1 in the denominator); ``None`` below 2.
        lowest: least value; ``None`` if no trial is present.
        median: middle value; ``None`` if no trial is present.
        highest: greatest value; ``None`` if no trial is present.
        num_missing: trials without a value at this epoch.
    """

    epoch: int
    mean: Estimate
    deviation: float | None
    lowest: float | None
    median: float | None
    highest: float | None
    num_missing: int


def summarize_curve(
    accuracy: ArrayLike,
    generator: np.random.Generator,
    *,
    confidence: float = DEFAULT_CONFIDENCE,
    num_resamples: int = DEFAULT_NUM_RESAMPLES,
) -> tuple[EpochSummary, ...]:
    """Sum up accuracy over seeds, epoch by epoch.

    The intervals are each epoch's own: one curve of five leaves its band at some epoch more
    often than one time in twenty.

    Args:
        accuracy: shape (num_seeds, num_epochs), fractions in [0, 1]; NaN is a missing value.
        generator: where the resamples come from.
        confidence: confidence level, in (0, 1).
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        One summary an epoch.

    Raises:
        ValueError: if the shape or a value is not as said.

    Source: see :func:`~bnbench.stats.means.estimate_means`.
    """
    matrix = read_matrix("accuracy", accuracy)
    check_accuracy("accuracy", matrix)
    means = estimate_means(
        matrix, generator, bounds=(0.0, 1.0), confidence=confidence, num_resamples=num_resamples
    )
    summaries = []
    for index, mean in enumerate(means):
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
                num_missing=int(column.size - present.size),
            )
        )
    return tuple(summaries)
