"""Sums of products: linear layers and convolutions, and a factor for each unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bnbench.models.operators.interface import Array

Pair = tuple[int, int]


class Product(Protocol):
    """Outputs that are sums of products of inputs and weights, in any order."""

    @property
    def name(self) -> str:
        """The layer's name."""

    @property
    def weight(self) -> NDArray[np.float32]:
        """Its first axis counts units or channels of the output."""

    @property
    def bias(self) -> NDArray[np.float32]:
        """Shape (num_units,)."""

    def multiply(self, weight: Array, values: Array) -> Array:
        """The sums for a weight of this shape."""

    def multiply_transposed(self, weight: Array, rows: Array, shape: tuple[int, ...]) -> Array:
        """Rows of coefficients, shape (num_inputs, num_rows, *output), times the map.

        The answer has shape (num_inputs, num_rows, *shape).
        """

    def sum_inputs(self, values: Array) -> Array:
        """The sum of the inputs that each output is made of; broadcasts to the output's shape."""

    def spread(self, units: Array) -> Array:
        """A value of each unit, in a shape that broadcasts to the output's."""


@dataclass(frozen=True, eq=False)
class Linear:
    """``W a + b`` along the last axis."""

    name: str
    weight: NDArray[np.float32]
    """Shape (num_outputs, num_inputs)."""
    bias: NDArray[np.float32]

    def multiply(self, weight: Array, values: Array) -> Array:  # noqa: D102
        product: Array = values @ weight.T
        return product

    def multiply_transposed(  # noqa: D102
        self,
        weight: Array,
        rows: Array,
        shape: tuple[int, ...],  # noqa: ARG002
    ) -> Array:
        if rows.strides[0] == 0:  # the same rows for every input
            one: Array = rows[:1] @ weight
            return np.broadcast_to(one, (len(rows), *one.shape[1:]))
        product: Array = rows @ weight
        return product

    def sum_inputs(self, values: Array) -> Array:  # noqa: D102
        total: Array = values.sum(axis=-1, keepdims=True)
        return total

    def spread(self, units: Array) -> Array:  # noqa: D102
        return units

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return self.multiply(self.weight.astype(np.float64), inputs[0]) + self.bias


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution of images, shape (num_inputs, channels, height, width), filled with zeros."""

    name: str
    weight: NDArray[np.float32]
    """Shape (num_outputs, num_inputs / groups, kernel height, kernel width)."""
    bias: NDArray[np.float32]
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def multiply(self, weight: Array, values: Array) -> Array:  # noqa: D102
        columns, (height, width) = self._take_columns(values, self.groups)
        grouped = weight.reshape(self.groups, len(weight) // self.groups, -1)
        product: Array = np.matmul(grouped, columns)
        return product.reshape(len(values), len(weight), height, width)

    def multiply_transposed(  # noqa: D102
        self, weight: Array, rows: Array, shape: tuple[int, ...]
    ) -> Array:
        num_inputs, num_rows, num_outputs, height, width = rows.shape
        grouped = weight.reshape(self.groups, num_outputs // self.groups, -1)
        flat = rows.reshape(-1, self.groups, num_outputs // self.groups, height * width)
        columns = np.matmul(grouped.swapaxes(1, 2), flat).reshape(
            num_inputs * num_rows, shape[0], *self.weight.shape[2:], height, width
        )
        top, left = self.padding
        padded = np.zeros((len(columns), shape[0], shape[1] + 2 * top, shape[2] + 2 * left))
        for i in range(self.weight.shape[2]):
            for j in range(self.weight.shape[3]):
                padded[:, :, *self._find_places(i, j, height, width)] += columns[:, :, i, j]
        inner = padded[:, :, top : top + shape[1], left : left + shape[2]]
        return inner.reshape(num_inputs, num_rows, *shape)

    def sum_inputs(self, values: Array) -> Array:  # noqa: D102
        num_inputs, num_channels = values.shape[:2]
        # The sum over a group's channels first: one channel for each group is left.
        grouped = values.reshape(num_inputs, self.groups, num_channels // self.groups, -1)
        sums = grouped.sum(axis=2).reshape(num_inputs, self.groups, *values.shape[2:])
        columns, (height, width) = self._take_columns(sums, self.groups)
        totals = columns.sum(axis=2).reshape(num_inputs, self.groups, height, width)
        repeated: Array = totals.repeat(len(self.weight) // self.groups, axis=1)
        return repeated

    def spread(self, units: Array) -> Array:  # noqa: D102
        return units[:, None, None]

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        products = self.multiply(self.weight.astype(np.float64), inputs[0])
        return products + self.spread(self.bias.astype(np.float64))

    def _find_places(self, i: int, j: int, height: int, width: int) -> tuple[slice, slice]:
        """The places in the padded image that one weight of the kernel meets."""
        first, second = i * self.dilation[0], j * self.dilation[1]
        return (
            slice(first, first + (height - 1) * self.stride[0] + 1, self.stride[0]),
            slice(second, second + (width - 1) * self.stride[1] + 1, self.stride[1]),
        )

    def _take_columns(self, values: Array, groups: int) -> tuple[Array, Pair]:
        """The inputs of each output, shape (num_inputs, groups, num_terms, num_places)."""
        (top, left), (down, right) = self.padding, self.dilation
        padded = np.pad(values, ((0, 0), (0, 0), (top, top), (left, left)))
        extent = [
            (size - 1) * step + 1
            for size, step in zip(self.weight.shape[2:], self.dilation, strict=True)
        ]
        windows = sliding_window_view(padded, extent, axis=(2, 3))
        windows = windows[:, :, :: self.stride[0], :: self.stride[1], ::down, ::right]
        height, width = windows.shape[2:4]
        columns = windows.transpose(0, 1, 4, 5, 2, 3)
        return columns.reshape(len(values), groups, -1, height * width), (height, width)


@dataclass(frozen=True, eq=False)
class UnitFactor:
    """Each unit alone, so that a normalization without a layer before it is an affine map too."""

    name: str
    num_units: int
    num_axes: int
    """Axes of the values behind the units' own."""

    @property
    def weight(self) -> NDArray[np.float32]:  # noqa: D102
        return np.ones((self.num_units,), dtype=np.float32)

    @property
    def bias(self) -> NDArray[np.float32]:  # noqa: D102
        return np.zeros(self.num_units, dtype=np.float32)

    def multiply(self, weight: Array, values: Array) -> Array:  # noqa: D102
        return self.spread(weight) * values

    def multiply_transposed(  # noqa: D102
        self,
        weight: Array,
        rows: Array,
        shape: tuple[int, ...],  # noqa: ARG002
    ) -> Array:
        return self.spread(weight) * rows

    def sum_inputs(self, values: Array) -> Array:  # noqa: D102
        return values

    def spread(self, units: Array) -> Array:  # noqa: D102
        return units.reshape(-1, *(1,) * self.num_axes)
