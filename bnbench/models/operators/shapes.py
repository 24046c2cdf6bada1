"""What moves values and rounds nothing, and the mean along any axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnbench.models.contract import CONTRACT
from bnbench.models.operators.interface import Array, Computed, Linearization, bound_roundings


@dataclass(frozen=True)
class Reshape:
    """The same values in another shape."""

    shape: tuple[int, ...]
    """Without the first axis, which counts the network's inputs."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return inputs[0].reshape(len(inputs[0]), *self.shape)

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        shape = given.values.shape[1:]
        return Linearization(
            self.apply([given.values]),
            self.apply([given.errors]),
            None,
            lambda rows: (rows.reshape(*rows.shape[:2], *shape),),
        )


@dataclass(frozen=True)
class Permute:
    """The same values with their axes in another order."""

    axes: tuple[int, ...]
    """Begins with 0: the first axis stays."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return inputs[0].transpose(self.axes)

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        inverse = [int(axis) for axis in np.argsort(self.axes)]
        back = (0, 1, *(axis + 1 for axis in inverse[1:]))
        return Linearization(
            self.apply([given.values]),
            self.apply([given.errors]),
            None,
            lambda rows: (rows.transpose(back),),
        )


@dataclass(frozen=True)
class Concatenate:
    """Values one after the other along an axis."""

    axis: int
    """Counted from the end."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return np.concatenate(inputs, axis=self.axis)

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        ends = np.cumsum([given.values.shape[self.axis] for given in inputs])[:-1]
        return Linearization(
            self.apply([given.values for given in inputs]),
            self.apply([given.errors for given in inputs]),
            None,
            lambda rows: tuple(np.split(rows, ends, axis=self.axis)),
        )


@dataclass(frozen=True)
class Pad:
    """Zeros before and behind the values of each axis; negative widths cut."""

    widths: tuple[tuple[int, int], ...]
    """For each axis but the first."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return _pad(inputs[0], ((0, 0), *self.widths))

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        back = tuple((-first, -last) for first, last in self.widths)
        return Linearization(
            self.apply([given.values]),
            self.apply([given.errors]),
            None,
            lambda rows: (_pad(rows, ((0, 0), (0, 0), *back)),),
        )


def _pad(values: Array, widths: Sequence[tuple[int, int]]) -> Array:
    cut = tuple(
        slice(max(-first, 0), size - max(-last, 0))
        for size, (first, last) in zip(values.shape, widths, strict=True)
    )
    return np.pad(values[cut], [(max(first, 0), max(last, 0)) for first, last in widths])


@dataclass(frozen=True)
class Mean:
    """The mean along axes."""

    axes: tuple[int, ...]
    """Counted from the end."""
    keeps_axes: bool

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        mean: Array = inputs[0].mean(axis=self.axes, keepdims=self.keeps_axes)
        return mean

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        shape = given.values.shape
        num_terms = math.prod(shape[axis] for axis in self.axes)
        carried = self.apply([given.errors])
        # A sum, then a quotient or a product with a rounded reciprocal, and a conversion.
        local = bound_roundings(num_terms + 3) * (self.apply([np.abs(given.values)]) + carried)

        def carry_back(rows: Array) -> tuple[Array]:
            kept = rows if self.keeps_axes else np.expand_dims(rows, self.axes)
            full = (*rows.shape[:2], *shape[1:])
            return (np.broadcast_to(kept / num_terms, full),)

        return Linearization(
            self.apply([given.values]),
            carried,
            local + (num_terms + 4) * CONTRACT.underflow,
            carry_back,
        )
