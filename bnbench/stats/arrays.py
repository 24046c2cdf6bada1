"""Reads and checks the arrays that come in; every error names the array and what it holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def read_vector(name: str, values: ArrayLike) -> FloatArray:
    """Read values as a float array of shape (n,), n >= 1.

    Args:
        name: the argument's name, for the error.
        values: shape (n,).

    Raises:
        ValueError: if the shape differs or there is no value.
    """
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"{name}: expected shape (n,) with n >= 1, got shape {vector.shape}")
    return vector


def read_matrix(name: str, values: ArrayLike) -> FloatArray:
    """Read values as a float array of shape (n, m), n >= 1 and m >= 1.

    Args:
        name: the argument's name, for the error.
        values: shape (n, m).

    Raises:
        ValueError: if the shape differs or there is no value.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"{name}: expected shape (n, m) with n, m >= 1, got shape {matrix.shape}")
    return matrix


def read_accuracy(name: str, values: ArrayLike) -> FloatArray:
    """Read accuracies of shape (num_seeds, num_epochs), fractions in [0, 1] or NaN.

    Raises:
        ValueError: if the shape differs or a value is outside [0, 1].
    """
    accuracy = read_matrix(name, values)
    _check_accuracy(name, accuracy)
    return accuracy


def read_accuracy_pair(
    baseline_accuracy: ArrayLike, candidate_accuracy: ArrayLike, num_axes: int
) -> tuple[FloatArray, FloatArray]:
    """Read the accuracies of two variants that were trained from the same seeds.

    Args:
        baseline_accuracy: shape (num_seeds,) or (num_seeds, num_epochs), in [0, 1] or NaN.
        candidate_accuracy: same shape.
        num_axes: 1 or 2.

    Raises:
        ValueError: if the shapes differ, or a value is outside [0, 1].
    """
    read = read_vector if num_axes == 1 else read_matrix
    baseline = read("baseline_accuracy", baseline_accuracy)
    candidate = read("candidate_accuracy", candidate_accuracy)
    check_same_shape("candidate_accuracy", candidate, "baseline_accuracy", baseline)
    _check_accuracy("baseline_accuracy", baseline)
    _check_accuracy("candidate_accuracy", candidate)
    return baseline, candidate


def read_seconds(name: str, values: ArrayLike) -> FloatArray:
    """Read durations of shape (num_seeds, num_epochs), positive seconds or NaN.

    Raises:
        ValueError: if the shape differs, or a value is zero, negative or infinite.
    """
    seconds = read_matrix(name, values)
    wrong = seconds[(seconds <= 0.0) | np.isinf(seconds)]
    if wrong.size:
        raise ValueError(f"{name}: expected positive seconds or NaN, got {wrong[0]}")
    return seconds


def check_same_shape(name: str, values: FloatArray, other_name: str, other: FloatArray) -> None:
    """Refuse two arrays that cannot be compared element by element.

    Raises:
        ValueError: if the shapes differ.
    """
    if values.shape != other.shape:
        raise ValueError(
            f"{name}: expected shape {other.shape}, as {other_name} has, got shape {values.shape}"
        )


def _check_accuracy(name: str, accuracy: FloatArray) -> None:
    outside = accuracy[(accuracy < 0.0) | (accuracy > 1.0)]
    if outside.size:
        raise ValueError(
            f"{name}: expected fractions in [0, 1] or NaN, got {outside[0]}; divide percent by 100"
        )
