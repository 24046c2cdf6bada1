r"""Activations, unit by unit.

A smooth function `f` has the slope :math:`f'(a)`; by Taylor's theorem the rest is at most
:math:`M e^2 / 2` for an input's error `e`, where `M` bounds :math:`|f''|`, and at most
:math:`(L + |f'(a)|) e`, where `L` bounds :math:`|f'|`.

ReLU rounds nothing. Where rounding can't change a unit's sign, its slope is 1 or 0. An undecided
unit lies in [z - e, z + e] with :math:`|z| \le e`; it gets the chord's slope
:math:`(z + e) / 2 e`, from which ReLU is at most :math:`(e - |z|) / 2` away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from bnbench.models.contract import CONTRACT
from bnbench.models.operators.interface import Array, Computed, Linearization

_UNDERFLOWS = 16


@dataclass(frozen=True)
class Relu:
    """``max(a, 0)``."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        result: Array = np.maximum(inputs[0], 0.0)
        return result

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        values, errors = given.values, given.errors
        undecided = (np.abs(values) <= errors) & (errors > 0)
        slope = (values > 0).astype(np.float64)
        local = None
        if undecided.any():
            z, e = values[undecided], errors[undecided]
            slope[undecided] = (z + e) / (2 * e)
            local = np.zeros_like(values)
            local[undecided] = (e - np.abs(z)) / 2
        return Linearization(
            np.maximum(values, 0.0),
            slope * errors,
            local,
            lambda rows: (rows * slope[:, None],),
            undecided.reshape(len(values), -1).sum(axis=1),
        )


@dataclass(frozen=True)
class Smooth:
    """A smooth function, with the bounds that its error analysis needs."""

    kind: str
    function: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    largest_slope: float
    """`L`."""
    largest_curvature: float
    """`M`."""
    scales_with_input: bool
    """Whether the function is the input times a function that the contract states."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        return self.function(inputs[0])

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        (given,) = inputs
        errors, slope = given.errors, self.slope(given.values)
        local = np.minimum(
            self.largest_curvature / 2 * errors**2, (self.largest_slope + np.abs(slope)) * errors
        )
        size: float | Array = 1.0
        if self.scales_with_input:
            size = given.magnitudes
        # Up to four roundings besides: of the argument, two products and a conversion.
        local += (CONTRACT.function_error + 4 * CONTRACT.unit_roundoff) * size
        local += _UNDERFLOWS * CONTRACT.underflow * np.maximum(given.magnitudes, 1.0)
        return Linearization(
            self.function(given.values),
            np.abs(slope) * errors,
            local,
            lambda rows: (rows * slope[:, None],),
        )


def _density(values: Array) -> Array:
    result: Array = np.exp(-(values**2) / 2) / math.sqrt(2 * math.pi)
    return result


def _slope_of_silu(values: Array) -> Array:
    sigmoid = expit(values)
    result: Array = sigmoid * (1 + values * (1 - sigmoid))
    return result


def _take_tanh_of_gelu(values: Array) -> Array:
    result: Array = np.tanh(math.sqrt(2 / math.pi) * (values + 0.044715 * values**3))
    return result


def _slope_of_gelu_tanh(values: Array) -> Array:
    tanh = _take_tanh_of_gelu(values)
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * values**2)
    result: Array = (1 + tanh) / 2 + values / 2 * (1 - tanh**2) * inner
    return result


ACTIVATIONS: dict[str, Relu | Smooth] = {
    "relu": Relu(),
    "gelu": Smooth(
        "gelu",
        lambda values: values * ndtr(values),
        lambda values: ndtr(values) + values * _density(values),
        largest_slope=1.13,
        largest_curvature=0.8,
        scales_with_input=True,
    ),
    "gelu_tanh": Smooth(
        "gelu_tanh",
        lambda values: values / 2 * (1 + _take_tanh_of_gelu(values)),
        _slope_of_gelu_tanh,
        largest_slope=1.13,
        largest_curvature=0.8,
        scales_with_input=True,
    ),
    "silu": Smooth(
        "silu",
        lambda values: values * expit(values),
        _slope_of_silu,
        largest_slope=1.1,
        largest_curvature=0.5,
        scales_with_input=True,
    ),
    "sigmoid": Smooth(
        "sigmoid",
        expit,
        lambda values: expit(values) * expit(-values),
        largest_slope=0.25,
        largest_curvature=0.0963,
        scales_with_input=False,
    ),
    "tanh": Smooth(
        "tanh",
        np.tanh,
        lambda values: 1 - np.tanh(values) ** 2,
        largest_slope=1.0,
        largest_curvature=0.77,
        scales_with_input=False,
    ),
}
"""Each activation by its name; `gelu_tanh` is torch's approximate GELU."""
