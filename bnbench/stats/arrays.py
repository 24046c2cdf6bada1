"""Checks of the arrays that come in: each error says what was required and what was found."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def read_vector(name: str, values: ArrayLike) -> FloatArray:
    """Read values as a one-dimensional float array.

    Args:
        name: what the caller calls the array, for the error.
        values: shape (n,), n >= 1.

    Raises:
        ValueError: if the shape is another, or there is no value.
    """
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"{name} must have shape (n,) with n >= 1, got shape {vector.shape}")
    return vector


def read_matrix(name: str, values: ArrayLike) -> FloatArray:
    """Read values as a two-dimensional float array with at least one row and one column.

    Raises:
        ValueError: if the shape is another.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"{name} must have shape (n, m) with n, m >= 1, got shape {matrix.shape}")
    return matrix


def check_same_shape(name: str, values: FloatArray, other_name: str, other: FloatArray) -> None:
    """Refuse two arrays that cannot be compared element by element.

    Raises:
        ValueError: if the shapes differ.
    """
    if values.shape != other.shape:
        raise ValueError(
            f"{name} and {other_name} must have the same shape, "
            f"got {values.shape} and {other.shape}"
        )


def check_accuracy(name: str, accuracy: FloatArray) -> None:
    """Refuse accuracies that are not fractions; NaN stands for a value that is missing.

    Raises:
        ValueError: if a value lies outside [0, 1], as a percentage does.
    """
    outside = accuracy[(accuracy < 0.0) | (accuracy > 1.0)]
    if outside.size:
        raise ValueError(f"{name} must be fractions in [0, 1] (or NaN), got {outside[0]}")


def check_seconds(name: str, seconds: FloatArray) -> None:
    """Refuse durations that are not positive; NaN stands for a value that is missing.

    Raises:
        ValueError: if a value is zero, negative or infinite.
    """
    wrong = seconds[(seconds <= 0.0) | np.isinf(seconds)]
    if wrong.size:
        raise ValueError(f"{name} must be positive seconds (or NaN), got {wrong[0]}")
