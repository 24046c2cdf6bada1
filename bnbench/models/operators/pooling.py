"""Pooling of images, shape (num_inputs, channels, height, width)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnbench.models.contract import CONTRACT
from bnbench.models.operators.interface import Array, Computed, Linearization, bound_roundings
from bnbench.models.operators.products import Pair


@dataclass(frozen=True)
class MaxPool:
    """The largest value of each window; it rounds nothing.

    The output follows the reference's largest input. Where another input of the window may be
    larger in a runtime, the output may exceed the reference's choice by what the errors of both
    allow, less the distance between the two.
    """

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return self._choose(inputs[0])[0]

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        values, winner = self._choose(given.values)
        num_places, shape = values.shape[2:], given.values.shape
        errors = self._pad(given.errors, 0.0)
        high = self._pad(given.values + given.errors, -np.inf)
        carried, rival = np.zeros_like(values), np.full_like(values, -np.inf)
        for number, (rows, columns) in enumerate(self._list_places(num_places)):
            won = winner == number
            carried = np.where(won, errors[:, :, rows, columns], carried)
            rival = np.where(won, rival, np.maximum(rival, high[:, :, rows, columns]))
        local = np.maximum(rival - (values - carried), 0.0)

        def carry_back(rows: Array) -> tuple[Array]:
            result = np.zeros((*rows.shape[:3], *self._find_padded_shape(shape[2:])))
            for number, (down, across) in enumerate(self._list_places(num_places)):
                result[..., down, across] += rows * (winner == number)[:, None]
            top, left = self.padding
            return (result[..., top : top + shape[2], left : left + shape[3]],)

        undecided = (local > 0).reshape(len(values), -1).sum(axis=1)
        return Linearization(values, carried, local, carry_back, undecided)

    def _choose(self, values: Array) -> tuple[Array, NDArray[np.int16]]:
        """The largest of each window, and which of the window's places it is at."""
        padded = self._pad(values, -np.inf)
        num_places = (
            (padded.shape[2] - (self.kernel[0] - 1) * self.dilation[0] - 1) // self.stride[0] + 1,
            (padded.shape[3] - (self.kernel[1] - 1) * self.dilation[1] - 1) // self.stride[1] + 1,
        )
        largest = np.full((*values.shape[:2], *num_places), -np.inf)
        winner = np.zeros(largest.shape, dtype=np.int16)
        for number, (rows, columns) in enumerate(self._list_places(num_places)):
            here = padded[:, :, rows, columns]
            larger = here > largest
            largest, winner = np.where(larger, here, largest), np.where(larger, number, winner)
        return largest, winner

    def _list_places(self, num_places: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        """For each place in a window, where it lies in the padded image for all windows."""
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                first, second = i * self.dilation[0], j * self.dilation[1]
                yield (
                    slice(first, first + (num_places[0] - 1) * self.stride[0] + 1, self.stride[0]),
                    slice(
                        second, second + (num_places[1] - 1) * self.stride[1] + 1, self.stride[1]
                    ),
                )

    def _find_padded_shape(self, shape: tuple[int, ...]) -> Pair:
        return shape[0] + 2 * self.padding[0], shape[1] + 2 * self.padding[1]

    def _pad(self, values: Array, fill: float) -> Array:
        (top, left) = self.padding
        widths = ((0, 0), (0, 0), (top, top), (left, left))
        return np.pad(values, widths, constant_values=fill)


@dataclass(frozen=True, eq=False)
class Average:
    """Means along the last two axes, given as a matrix for each: ``rows @ a @ columns.T``."""

    rows: Array
    """Shape (output height, input height)."""
    columns: Array
    """Shape (output width, input width)."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        mean: Array = self.rows @ (inputs[0] @ self.columns.T)
        return mean

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        carried = self.apply([given.errors])
        magnitudes = self.apply([np.abs(given.values)]) + carried
        num_terms = int(np.count_nonzero(self.rows, axis=1).max()) * int(
            np.count_nonzero(self.columns, axis=1).max()
        )
        # A sum, then a quotient or a product with a rounded reciprocal, and a conversion.
        local = bound_roundings(num_terms + 3) * magnitudes
        local += (num_terms + 4) * CONTRACT.underflow
        return Linearization(
            self.apply([given.values]),
            carried,
            local,
            lambda rows: (self.rows.T @ (rows @ self.columns),),
        )


def average_windows(
    size: int, kernel: int, stride: int, padding: int, counts_padding: bool
) -> Array:
    """The matrix of the means of windows along one axis; shape (num_windows, size).

    Args:
        size: values along the axis.
        kernel: values in a window.
        stride: from a window to the next.
        padding: zeros before the first value and behind the last.
        counts_padding: whether the zeros count in the mean.
    """
    num_windows = (size + 2 * padding - kernel) // stride + 1
    matrix = np.zeros((num_windows, size))
    for window in range(num_windows):
        first = window * stride - padding
        inside = slice(max(first, 0), min(first + kernel, size))
        count = kernel if counts_padding else inside.stop - inside.start
        matrix[window, inside] = 1 / count
    return matrix


def average_adaptively(size: int, num_windows: int) -> Array:
    """The matrix of the means of `num_windows` windows that cover an axis, as torch cuts them."""
    matrix = np.zeros((num_windows, size))
    for window in range(num_windows):
        first, last = window * size // num_windows, -(-(window + 1) * size // num_windows)
        matrix[window, first:last] = 1 / (last - first)
    return matrix
