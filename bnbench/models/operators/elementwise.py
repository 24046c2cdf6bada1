"""Sums, products and powers, element by element, of values or with constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnbench.models.contract import CONTRACT
from bnbench.models.operators.interface import (
    Array,
    Computed,
    Linearization,
    OutOfRangeError,
    at_least_one,
    bound_roundings,
    require_at_most,
    take_tensor,
)

_UNDERFLOWS = 16


@dataclass(frozen=True)
class Sum:
    """The sum of two values, broadcast against each other."""

    num_terms: int = 1
    """Terms of the longest sum that a runtime may form at once with this one: a convolution may
    start from the value that is added to it."""
    sign: int = 1
    """-1 for a difference."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return inputs[0] + self.sign * inputs[1]

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        first, second = inputs
        size = first.magnitudes + second.magnitudes
        require_at_most("a sum", float(size.max(initial=0)), CONTRACT.max_reach)
        local = bound_roundings(self.num_terms + 1) * size
        return Linearization(
            self.apply([first.values, second.values]),
            first.errors + second.errors,
            local + 4 * CONTRACT.underflow,
            lambda rows: (
                unbroadcast(rows, first.values.shape),
                self.sign * unbroadcast(rows, second.values.shape),
            ),
        )


@dataclass(frozen=True)
class ProductOfValues:
    """The product of two values, broadcast against each other."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return inputs[0] * inputs[1]

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        first, second = inputs
        size = first.magnitudes * second.magnitudes
        require_at_most("a product", float(size.max(initial=0)), CONTRACT.max_reach)
        local = first.errors * second.errors + bound_roundings(2) * size
        local += (
            _UNDERFLOWS
            * CONTRACT.underflow
            * at_least_one(first.magnitudes)
            * at_least_one(second.magnitudes)
        )
        return Linearization(
            self.apply([first.values, second.values]),
            np.abs(first.values) * second.errors + np.abs(second.values) * first.errors,
            local,
            lambda rows: (
                unbroadcast(rows * second.values[:, None], first.values.shape),
                unbroadcast(rows * first.values[:, None], second.values.shape),
            ),
        )


@dataclass(frozen=True, eq=False)
class ConstantFactorAndShift:
    """``factor * a + shift`` for constants of the archive, broadcast against the value."""

    name: str
    factor: NDArray[np.floating]
    shift: NDArray[np.floating]

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        result: Array = inputs[0] * self.factor.astype(np.float64) + self.shift
        return result

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        factor = take_tensor(f"{self.name}: its factor", self.factor)
        shift = take_tensor(f"{self.name}: its constant", self.shift)
        # A constant rounded to binary32 (a reciprocal, too), the product, the sum, a conversion.
        size = given.magnitudes * np.abs(factor) + np.abs(shift)
        require_at_most(self.name, float(size.max(initial=0)), CONTRACT.max_reach)
        local = bound_roundings(5) * size
        local = local + _UNDERFLOWS * CONTRACT.underflow * at_least_one(factor) * at_least_one(
            given.magnitudes
        )
        values = self.apply([given.values])
        return Linearization(
            values,
            np.broadcast_to(np.abs(factor) * given.errors, values.shape),
            local,
            lambda rows: (unbroadcast(rows * factor, given.values.shape),),
        )


@dataclass(frozen=True)
class ReciprocalRoot:
    """``1 / sqrt(a)`` of a positive value."""

    name: str

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        result: Array = inputs[0] ** -0.5
        return result

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        lowest = given.values - given.errors
        if not lowest.min(initial=np.inf) >= CONTRACT.min_variance:
            raise OutOfRangeError(
                f"{self.name}: expected values of {CONTRACT.min_variance:.2g} or more, got "
                f"{lowest.min():.2g}"
            )
        slope = given.values**-1.5 / 2
        # By Taylor's theorem; the second derivative is 3/4 of the power -5/2.
        local = 0.375 * lowest**-2.5 * given.errors**2
        local += bound_roundings(2 * CONTRACT.reciprocal_root_units + 2) * lowest**-0.5
        return Linearization(
            given.values**-0.5,
            slope * given.errors,
            local + CONTRACT.underflow,
            lambda rows: (-rows * slope[:, None],),
        )


def unbroadcast(rows: Array, shape: tuple[int, ...]) -> Array:
    """Sum rows over the axes along which a value of `shape` was broadcast.

    Args:
        rows: shape (num_inputs, num_rows, *output).
        shape: of the value: (num_inputs, *input), with as many axes or fewer.
    """
    inner = shape[1:]
    num_new = rows.ndim - 2 - len(inner)
    summed = rows.sum(axis=tuple(range(2, 2 + num_new))) if num_new else rows
    axes = tuple(
        axis + 2 for axis, size in enumerate(inner) if size == 1 and summed.shape[axis + 2] != 1
    )
    result: Array = summed.sum(axis=axes, keepdims=True) if axes else summed
    return result
