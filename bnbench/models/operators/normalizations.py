r"""Normalizations by statistics of the input itself: layer normalization and RMS normalization.

With :math:`c = a - \bar a` (RMS normalization: :math:`c = a`), :math:`q = \overline{c^2}`,
:math:`w = q + \varepsilon` and :math:`r = w^{-1/2}`, the output is :math:`g c r + b`. Its slopes at
the reference are

.. math:: J h = g (r (h - \bar h) - r^3 c \, \overline{c h}).

An error `h` of the input changes `q` by :math:`2 \overline{c h} + \overline{(h - \bar h)^2}`, which
is at most :math:`D = 2 \overline{|c| e} + \overline{e^2}`, and by Taylor's theorem `r` by
:math:`-r^3 / 2` times that and a rest of at most :math:`T = \frac 3 8 (w - D)^{-5/2} D^2`. So the
output differs from its linear part by at most

.. math:: |g| (|c| (r^3 \overline{e^2} / 2 + T) + (e + \bar e) (r^3 D / 2 + T)).

Where `D` exceeds half of `w`, that is replaced by what always holds: a normalized value is at most
:math:`\sqrt n`, so two of them differ by at most :math:`2 \sqrt n`.
"""

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

_OUTPUT_ROUNDINGS = 12
_UNDERFLOWS = 16


@dataclass(frozen=True, eq=False)
class InputNorm:
    """A normalization over the last axes, by the input's own mean square."""

    name: str
    weight: NDArray[np.float32]
    """Its shape is that of the axes."""
    bias: NDArray[np.float32]
    eps: float
    is_centered: bool
    """True for layer normalization, which subtracts the mean; false for RMS normalization."""

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-self.weight.ndim, 0))

    def _average(self, values: Array) -> Array:
        mean: Array = values.mean(axis=self._axes, keepdims=True)
        return mean

    def _center(self, values: Array) -> Array:
        return values - self._average(values) if self.is_centered else values

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        centered = self._center(inputs[0])
        root = np.sqrt(self._average(centered**2) + self.eps)
        normal: Array = centered / root * self.weight + self.bias
        return normal

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        gain = take_tensor(f"{self.name}.weight", self.weight)
        shift = take_tensor(f"{self.name}.bias", self.bias)
        require_at_most(
            f"the inputs of {self.name}",
            float(given.magnitudes.max(initial=0)),
            CONTRACT.max_normalized,
        )
        rounding = self._bound_rounding(given, gain, shift)  # it refuses a variance of 0
        average, errors = self._average, given.errors
        centered = self._center(given.values)
        total = average(centered**2) + self.eps
        root = total**-0.5
        mean_error = average(errors) if self.is_centered else 0.0

        slack = np.abs(centered) * root**3 * average(np.abs(centered) * errors)
        carried = np.abs(gain) * (root * (errors + mean_error) + slack)
        local = np.abs(gain) * self._bound_curvature(centered, errors, total)
        # Wherever D is too large, a difference of two normalized values and its linear part.
        size = gain.size**0.5
        local = np.minimum(local, np.abs(gain) * 2 * size + carried)
        local += rounding

        def carry_back(rows: Array) -> tuple[Array]:
            scaled = rows * gain
            inner = np.expand_dims(centered, 1) * np.expand_dims(root, 1) ** 3
            back = np.expand_dims(root, 1) * scaled - np.expand_dims(centered, 1) * average(
                inner * scaled
            )
            return (self._center(back),)

        return Linearization(self.apply([given.values]), carried, local, carry_back)

    def _bound_curvature(self, centered: Array, errors: Array, total: Array) -> Array:
        """What the normalized values differ from their linear part; infinite if `D` is large."""
        average = self._average
        mean_error = average(errors) if self.is_centered else 0.0
        change = 2 * average(np.abs(centered) * errors) + average(errors**2)
        with np.errstate(divide="ignore", over="ignore"):
            smallest = np.maximum(total - change, 0.0)
            rest = np.where(change <= total / 2, 0.375 * smallest**-2.5 * change**2, np.inf)
        cube = total**-1.5
        bound: Array = np.abs(centered) * (cube * average(errors**2) / 2 + rest) + (
            errors + mean_error
        ) * (cube * change / 2 + rest)
        return np.where(np.isfinite(bound), bound, np.inf)

    def _bound_rounding(self, given: Computed, gain: Array, shift: Array) -> Array:
        """What a runtime's own roundings add, from any input that it may have."""
        average, magnitudes, num_terms = self._average, given.magnitudes, gain.size
        mean = average(magnitudes) if self.is_centered else 0.0
        slack = given.errors + (average(given.errors) if self.is_centered else 0.0)
        centered = np.abs(self._center(given.values))
        square = average(magnitudes**2)
        # The smallest `w` that a runtime's inputs may have.
        smallest = average(np.maximum(centered - slack, 0.0) ** 2) + self.eps
        if not (self.eps >= 0 and smallest.min(initial=np.inf) >= CONTRACT.min_variance):
            raise OutOfRangeError(
                f"the variance of {self.name}: expected it plus eps to be "
                f"{CONTRACT.min_variance:.2g} or more, got {smallest.min():.2g}"
            )
        root = smallest**-0.5
        roundings = 3 * num_terms + 16 if self.is_centered else num_terms + 4
        relative = bound_roundings(roundings) * square / smallest
        if not (relative < 0.25).all():
            raise OutOfRangeError(
                f"the variance of {self.name}: expected one that rounding leaves three quarters "
                f"of, got an error of {float(relative.max()):.2g} of it"
            )
        relative = relative / 2 * (1 + 2 * relative)  # of the reciprocal root
        terms = np.abs(gain) * root * (magnitudes + mean)
        normalized = np.abs(gain) * np.minimum(root * (centered + slack), num_terms**0.5)
        bound: Array = (
            np.abs(gain) * root * bound_roundings(num_terms + 2) * mean
            + normalized * relative
            + bound_roundings(_OUTPUT_ROUNDINGS) * (terms + np.abs(shift))
        ) * (1 + relative)
        reach = at_least_one(gain) * at_least_one(root) * at_least_one(magnitudes + mean)
        return bound + _UNDERFLOWS * CONTRACT.underflow * reach
