"""The best learning rate of those tried, some of which diverge and some of which had few seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import BoolArray, FloatArray, IntArray, read_accuracy, read_vector

CHANCE_ACCURACY = 0.1
"""Accuracy of guessing among ten classes of equal size."""

CHANCE_MARGIN = 0.1
"""A trial within this share of chance has learned nothing: below 11 % among ten classes."""


def choose_learning_rate(
    learning_rates: ArrayLike,
    accuracy: ArrayLike,
    num_tried: ArrayLike | None = None,
    *,
    chance: float = CHANCE_ACCURACY,
) -> float | None:
    """Choose the rate with the highest mean accuracy over seeds; the smallest of equal ones.

    A trial without accuracy (diverged or failed) counts as chance accuracy. Dropping it would
    reward a rate that works only sometimes. Rates that were tried with fewer seeds than others are
    not chosen.

    Args:
        learning_rates: shape (num_rates,), positive and ascending.
        accuracy: shape (num_rates, num_seeds), fractions in [0, 1]; NaN is diverged.
        num_tried: shape (num_rates,), seeds that each rate was tried with, the first of the
            columns; None is all of them.
        chance: accuracy of guessing, in (0, 1).

    Returns:
        The rate; ``None`` if no trial at any rate learned anything.

    Raises:
        ValueError: if a shape differs or a value is outside its range.
    """
    rates, matrix = read_grid(learning_rates, accuracy)
    tried = read_num_tried(num_tried, matrix)
    if find_diverged(matrix, chance).all():
        return None
    means = average_tried(matrix, tried, chance)
    return float(rates[np.where(tried == tried.max(), means, -1.0).argmax()])


def list_finalists(
    learning_rates: ArrayLike,
    accuracy: ArrayLike,
    number: int,
    *,
    chance: float = CHANCE_ACCURACY,
) -> tuple[float, ...]:
    """List the rates with the highest mean accuracy, ascending; of equal ones the smaller.

    The arguments are those of `choose_learning_rate`; `number` is how many to list at most.

    Returns:
        The rates; none if no trial at any rate learned anything.
    """
    rates, matrix = read_grid(learning_rates, accuracy)
    if find_diverged(matrix, chance).all():
        return ()
    means = fill_diverged(matrix, chance).mean(axis=1)
    return tuple(rates[mark_highest(means, number)].tolist())


def mark_highest(means: FloatArray, number: int) -> BoolArray:
    """Mark the `number` highest values along the first axis; of equal ones the first."""
    ranks = np.argsort(np.argsort(-means, axis=0, kind="stable"), axis=0, kind="stable")
    return np.asarray(ranks < number)


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


def read_num_tried(num_tried: ArrayLike | None, matrix: FloatArray) -> IntArray:
    """Read and check the number of seeds of each rate; all columns by default.

    Raises:
        ValueError: if it is not one number in [1, num_seeds] for each row.
    """
    num_rates, num_seeds = matrix.shape
    if num_tried is None:
        return np.full(num_rates, num_seeds)
    tried = np.asarray(num_tried)
    if tried.shape != (num_rates,) or not np.all((tried >= 1) & (tried <= num_seeds)):
        raise ValueError(
            f"num_tried: expected one number in [1, {num_seeds}] for each of the {num_rates} "
            f"learning rates, got {tried.tolist()}"
        )
    return tried


def average_tried(matrix: FloatArray, num_tried: IntArray, chance: float) -> FloatArray:
    """Mean over the seeds that each rate was tried with; a missing accuracy counts as chance."""
    was_tried = np.arange(matrix.shape[1]) < num_tried[:, None]
    means = np.where(was_tried, fill_diverged(matrix, chance), 0.0).sum(axis=1) / num_tried
    return np.asarray(means)


def find_diverged(matrix: FloatArray, chance: float) -> BoolArray:
    """Find the trials without an accuracy above chance."""
    return np.asarray(np.isnan(matrix) | (matrix <= chance * (1 + CHANCE_MARGIN)))


def fill_diverged(matrix: FloatArray, chance: float) -> FloatArray:
    """Replace missing accuracies by chance accuracy."""
    return np.where(np.isnan(matrix), chance, matrix)
