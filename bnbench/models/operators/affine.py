r"""An affine map as runtimes compute it: a sum of products and the batch normalization behind it.

From its inputs :math:`\hat a`, a runtime computes :math:`\hat z = A \hat a + c + \delta` with

.. math:: |\delta| \le \gamma_{k + 2} (|W| |\hat a| + |b|) + 16 \lambda R
          \quad\text{or}\quad
          |\delta| \le \gamma_{k + 16} (|\alpha| (|W| |\hat a| + |b| + |\mu|) + |\beta|)
                    + 16 \lambda R,

where `k` counts the inputs that are not exactly zero (adding an exact zero rounds nothing) and the
second form is that with batch normalization, :math:`\alpha = g r`, :math:`r = 1 / \sqrt{v +
\varepsilon}`; its 16 cover every order of operations in use, folding into the weights included
(docs/method.md counts them). The reach

.. math:: R = [g] [r] \left([W]_{\max} \textstyle\sum_j [\hat a_j] + [b] + [\mu]\right) + [\beta],
          \qquad [x] = \max(1, |x|),

with the largest weight of the output's unit, is at least as large as any product of some of a
term's factors and any sum of such products. So nothing overflows if it stays below
:math:`2^{100}`, and what an underflow loses is multiplied by at most the term's share of `R`. A
term meets at most 14 underflows: four factors read, four products, three additions, a conversion,
and two in `\alpha`. Underflow cannot happen inside `r`, since :math:`v + \varepsilon` must be
between :math:`2^{-32}` and :math:`2^{32}`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
from bnbench.models.operators.products import Product

_PRODUCT_ROUNDINGS = 2
_BATCH_NORM_ROUNDINGS = 16
_UNDERFLOWS_PER_TERM = 16


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """``(z - running_mean) / sqrt(running_var + eps) * weight + bias``, in evaluation mode.

    All arrays have shape (num_units,).
    """

    name: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    running_mean: NDArray[np.float32]
    running_var: NDArray[np.float32]
    eps: float


@dataclass(frozen=True)
class _Coefficients:
    """An affine map's numbers in binary64, all in range; each but `matrix` has shape (units,)."""

    matrix: Array
    """`W`."""
    scale: Array
    """`alpha`."""
    constant: Array
    """`c`."""
    constant_magnitude: Array
    """The sum of the magnitudes that make up `c`."""
    reach_factor: Array
    """``[g] [r] [W]_max``."""
    reach_constant: Array
    """``[g] [r] ([b] + [mu]) + [beta]``."""


@dataclass(frozen=True, eq=False)
class Affine:
    """``A a + c``: a sum of products, and at most one batch normalization of it."""

    product: Product
    norm: BatchNorm | None = None

    @property
    def num_terms(self) -> int:
        """Products in the sum of an output."""
        return math.prod(self.product.weight.shape[1:])

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""
        known, product = self._unchecked, self.product
        sums = product.multiply(known.matrix, inputs[0])
        return product.spread(known.scale) * sums + product.spread(known.constant)

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error."""
        known, product, (given,) = self._checked, self.product, inputs
        magnitude, scale = np.abs(known.matrix), product.spread(known.scale)
        reach = product.sum_inputs(at_least_one(given.magnitudes)) * product.spread(
            known.reach_factor
        ) + product.spread(known.reach_constant)
        require_at_most(
            f"the outputs of {product.name}", float(reach.max(initial=0)), CONTRACT.max_reach
        )
        carried = np.abs(scale) * product.multiply(magnitude, given.errors)
        size = (
            np.abs(scale) * product.multiply(magnitude, np.abs(given.values))
            + carried
            + product.spread(known.constant_magnitude)
        )
        count = product.sum_inputs(given.may_differ_from_zero.astype(np.float64))
        extra = _PRODUCT_ROUNDINGS if self.norm is None else _BATCH_NORM_ROUNDINGS
        local = bound_roundings(count + extra) * size
        local += _UNDERFLOWS_PER_TERM * CONTRACT.underflow * reach

        def carry_back(rows: Array) -> tuple[Array]:
            # A broadcast row stays one: its first stride tells that it holds for every input.
            scaled = rows if self.norm is None else rows * scale
            shape = given.values.shape[1:]
            return (product.multiply_transposed(known.matrix, scaled, shape),)

        return Linearization(self.apply([given.values]), carried, local, carry_back)

    @cached_property
    def _unchecked(self) -> _Coefficients:
        product, norm = self.product, self.norm
        weight, bias = product.weight.astype(np.float64), product.bias.astype(np.float64)
        largest = at_least_one(np.abs(weight).reshape(len(weight), -1).max(axis=1, initial=0))
        if norm is None:
            one = np.ones(len(weight))
            return _Coefficients(weight, one, bias, np.abs(bias), largest, at_least_one(bias))
        gain, shift, mean, variance = (
            array.astype(np.float64)
            for array in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        )
        with np.errstate(divide="ignore", invalid="ignore"):  # `_checked` refuses such variances
            inverse = 1 / np.sqrt(variance + norm.eps)
        scale = gain * inverse
        factor = at_least_one(gain) * at_least_one(inverse)
        return _Coefficients(
            matrix=weight,
            scale=scale,
            constant=scale * (bias - mean) + shift,
            constant_magnitude=np.abs(scale) * (np.abs(bias) + np.abs(mean)) + np.abs(shift),
            reach_factor=factor * largest,
            reach_constant=factor * (at_least_one(bias) + at_least_one(mean)) + at_least_one(shift),
        )

    @cached_property
    def _checked(self) -> _Coefficients:
        product, norm = self.product, self.norm
        take_tensor(f"{product.name}.weight", product.weight)
        take_tensor(f"{product.name}.bias", product.bias)
        if norm is not None:
            take_tensor(f"{norm.name}.weight", norm.weight)
            take_tensor(f"{norm.name}.bias", norm.bias)
            take_tensor(f"{norm.name}.running_mean", norm.running_mean)
            _check_variance(norm)
        return self._unchecked


def _check_variance(norm: BatchNorm) -> None:
    variance = norm.running_var.astype(np.float64)
    total = variance + norm.eps
    if not (norm.eps >= 0 and (variance >= 0).all() and (total >= CONTRACT.min_variance).all()):
        raise OutOfRangeError(
            f"{norm.name}.running_var: expected variances and eps of 0 or more, together "
            f"{CONTRACT.min_variance:.2g} or more, got {total.min():.2g} with eps {norm.eps:.2g}"
        )
    require_at_most(f"{norm.name}.running_var", float(total.max(initial=0)), CONTRACT.max_variance)
