"""Which learning rate is best, where some trials have diverged."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import (
    BoolArray,
    FloatArray,
    check_accuracy,
    read_matrix,
    read_vector,
)

CHANCE_ACCURACY = 0.1
"""What guessing scores on ten classes of equal size."""

CHANCE_MARGIN = 0.01
"""A trial that beats chance by no more than this has learnt nothing."""


def choose_learning_rate(
    learning_rates: ArrayLike,
    accuracy: ArrayLike,
    *,
    chance_accuracy: float = CHANCE_ACCURACY,
) -> float | None:
    """Choose the rate with the highest mean accuracy over seeds; of equals the smallest.

    A trial without accuracy (diverged, failed) counts as ``chance_accuracy``: leaving it out
    would reward a rate that only sometimes works.

    Args:
        learning_rates: shape (num_rates,), positive and ascending.
        accuracy: shape (num_rates, num_seeds), fractions in [0, 1]; NaN is diverged.
        chance_accuracy: what guessing scores, in [0, 1].

    Returns:
        The rate; ``None`` if no trial at any rate learnt anything.

    Raises:
        ValueError: if a shape or a value is not as said.
    """
    rates, matrix = read_grid(learning_rates, accuracy, chance_accuracy)
    if find_diverged(matrix, chance_accuracy).all():
        return None
    means = fill_diverged(matrix, chance_accuracy).mean(axis=1)
    return float(rates[means.argmax()])


def read_grid(
    learning_rates: ArrayLike, accuracy: ArrayLike, chance_accuracy: float
) -> tuple[FloatArray, FloatArray]:
    """Read and check the rates and the accuracy at each."""
    rates = read_vector("learning_rates", learning_rates)
    matrix = read_matrix("accuracy", accuracy)
    check_accuracy("accuracy", matrix)
    if len(rates) != len(matrix):
        raise ValueError(
            f"accuracy must have one row for each of the {len(rates)} learning rates, "
            f"got shape {matrix.shape}"
        )
    if not (np.all(rates > 0.0) and np.all(np.diff(rates) > 0.0) and np.isfinite(rates[-1])):
        raise ValueError(
            f"learning_rates must be positive and strictly ascending, got {rates.tolist()}"
        )
    if not 0.0 <= chance_accuracy <= 1.0:
        raise ValueError(f"chance_accuracy must be in [0, 1], got {chance_accuracy}")
    return rates, matrix


def find_diverged(matrix: FloatArray, chance_accuracy: float) -> BoolArray:
    """Tell the trials that have no accuracy, or none above chance."""
    return np.asarray(np.isnan(matrix) | (matrix <= chance_accuracy + CHANCE_MARGIN))


def fill_diverged(matrix: FloatArray, chance_accuracy: float) -> FloatArray:
    """Put the chance level where a trial has no accuracy."""
    return np.where(np.isnan(matrix), chance_accuracy, matrix)
