"""The best learning rate of a grid, where some trials diverged."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import BoolArray, FloatArray, read_accuracy, read_vector

CHANCE_ACCURACY = 0.1
"""Accuracy of guessing among ten classes of equal size."""

CHANCE_MARGIN = 0.01
"""A trial within this of chance has learned nothing."""


def choose_learning_rate(learning_rates: ArrayLike, accuracy: ArrayLike) -> float | None:
    """Choose the rate with the highest mean accuracy over seeds; the smallest of equal ones.

    A trial without accuracy (diverged or failed) counts as chance accuracy. Dropping it would
    reward a rate that works only sometimes.

    Args:
        learning_rates: shape (num_rates,), positive and ascending.
        accuracy: shape (num_rates, num_seeds), fractions in [0, 1]; NaN is diverged.

    Returns:
        The rate; ``None`` if no trial at any rate learned anything.

    Raises:
        ValueError: if a shape differs or a value is outside its range.
    """
    rates, matrix = read_grid(learning_rates, accuracy)
    if find_diverged(matrix).all():
        return None
    return float(rates[fill_diverged(matrix).mean(axis=1).argmax()])


def read_grid(learning_rates: ArrayLike, accuracy: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Read and check the rates and the accuracy at each.

    Raises:
        ValueError: if a shape differs or a value is outside its range.
    """
    rates = read_vector("learning_rates", learning_rates)
    matrix = read_accuracy("accuracy", accuracy)
    if len(rates) != len(matrix):
        raise ValueError(
            f"accuracy: expected one row for each of the {len(rates)} learning rates, "
            f"got shape {matrix.shape}"
        )
    if not (np.all(rates > 0.0) and np.all(np.diff(rates) > 0.0) and np.isfinite(rates[-1])):
        raise ValueError(
            f"learning_rates: expected positive, strictly ascending rates, got {rates.tolist()}"
        )
    return rates, matrix


def find_diverged(matrix: FloatArray) -> BoolArray:
    """Find the trials without an accuracy above chance."""
    return np.asarray(np.isnan(matrix) | (matrix <= CHANCE_ACCURACY + CHANCE_MARGIN))


def fill_diverged(matrix: FloatArray) -> FloatArray:
    """Replace missing accuracies by chance accuracy."""
    return np.where(np.isnan(matrix), CHANCE_ACCURACY, matrix)
