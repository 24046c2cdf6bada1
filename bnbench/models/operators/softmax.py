r"""Softmax and its logarithm along one axis.

With :math:`s_i = e^{a_i} / \sum_j e^{a_j}`, the slopes of softmax are :math:`s_i (h_i - \bar h)`,
where :math:`\bar h = \sum_j s_j h_j`. Along the way from `a` to `a + h` the second derivative is
:math:`s_i ((h_i - \bar h)^2 - \sum_j s_j (h_j - \bar h)^2)`. With all errors at most `E`, it is at
most :math:`4 E^2` times :math:`s_i`, which itself grows by at most :math:`e^{2 E}`. So the rest is
at most :math:`2 E^2 s_i e^{2 E}`; two values of softmax never differ by more than 1.

The slopes of the logarithm are :math:`h_i - \bar h`, and its second derivative is at most
:math:`E^2`.

A runtime subtracts the largest input `m`, takes exponentials, sums them up, and divides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax

from bnbench.models.contract import CONTRACT
from bnbench.models.operators.interface import (
    Array,
    Computed,
    Linearization,
    bound_roundings,
    require_at_most,
)

_UNDERFLOWS = 16
_MAX_INPUT_ERROR = 40.0


@dataclass(frozen=True)
class Softmax:
    """Shares of exponentials, or their logarithms."""

    axis: int
    """Counted from the end: -1 is the last."""
    is_logarithm: bool = False

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        function = log_softmax if self.is_logarithm else softmax
        result: Array = function(inputs[0], axis=self.axis)
        return result

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        shares: Array = softmax(given.values, axis=self.axis)
        mean_error = self._sum(shares * given.errors)
        largest = given.errors.max(axis=self.axis, keepdims=True)
        require_at_most(
            "the errors of a softmax's inputs", float(largest.max(initial=0)), _MAX_INPUT_ERROR
        )
        growth = np.exp(2 * largest)
        roundings = self._bound_exponentials(given)
        underflow = _UNDERFLOWS * CONTRACT.underflow * given.values.shape[self.axis]
        if self.is_logarithm:
            factor = np.ones_like(shares)
            carried = given.errors + mean_error
            rest = np.minimum(largest**2 / 2, 2 * largest)
            # A relative error of the sum, the logarithm's own, and up to three subtractions.
            log_sum = np.log(given.values.shape[self.axis])
            of_sum = self._sum(shares * roundings) * growth
            # The largest exponential is 1, so that the sum lies between 1 and its terms' number.
            local = rest + np.where(of_sum < 0.5, 2 * of_sum, log_sum + 1)
            local += CONTRACT.function_error * max(log_sum, 1.0)
            local = local + bound_roundings(4) * (
                given.magnitudes + given.magnitudes.max(axis=self.axis, keepdims=True) + log_sum
            )
        else:
            factor = shares
            carried = shares * (given.errors + mean_error)
            highest = np.minimum(shares * growth, 1.0)
            relative = roundings + self._sum(shares * roundings) * growth
            local = np.minimum(2 * largest**2 * shares * growth, 1.0 + carried)
            local += np.where(relative < 0.5, 2 * relative * highest, 2.0)
        local = local + underflow

        def carry_back(rows: Array) -> tuple[Array]:
            scaled = rows * factor[:, None]
            back: Array = scaled - shares[:, None] * scaled.sum(axis=self.axis, keepdims=True)
            return (back,)

        return Linearization(self.apply([given.values]), carried, local, carry_back)

    def _sum(self, values: Array) -> Array:
        total: Array = values.sum(axis=self.axis, keepdims=True)
        return total

    def _bound_exponentials(self, given: Computed) -> Array:
        """Relative error of an exponential: its argument's subtraction, its own, and the sum's."""
        low = given.values - given.errors
        high = given.values + given.errors
        distance = high.max(axis=self.axis, keepdims=True) - low
        num_terms = given.values.shape[self.axis]
        argument = CONTRACT.unit_roundoff * distance
        own = CONTRACT.function_error + bound_roundings(num_terms + 4)
        result: Array = np.expm1(np.minimum(argument, 1.0)) + own
        return result
