r"""What an operator is: values in binary64, and how errors pass through it.

A runtime computes :math:`\hat v` where the reference has :math:`v`. An operator `f` splits the
error of its output into a linear part and a rest that it bounds:

.. math:: \hat v - v = J (\hat a - a) + \delta, \qquad |\delta| \le d.

`J` is a fixed matrix, such as the slopes at the reference's inputs. `d` covers the runtime's
roundings, and what `f` differs from `J` within the errors of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bnbench.models.contract import CONTRACT

Array = NDArray[np.float64]


class OutOfRangeError(Exception):
    """A tensor or a value lies outside the contract's ranges; the text names it."""


@dataclass(frozen=True, eq=False)
class Computed:
    """The reference's values, and how far any runtime's may be from them."""

    values: Array
    """Shape (num_inputs, ...)."""
    errors: Array
    """Shape of `values`."""

    @property
    def magnitudes(self) -> Array:
        """The largest magnitudes that a runtime may have."""
        return np.abs(self.values) + self.errors

    @property
    def may_differ_from_zero(self) -> NDArray[np.bool_]:
        """False where every runtime has an exact zero."""
        result: NDArray[np.bool_] = (self.values != 0) | (self.errors != 0)
        return result


@dataclass(frozen=True, eq=False)
class Linearization:
    """An operator's output on some inputs, and the parts of its error."""

    values: Array
    carried: Array
    """Largest magnitude of `J` times the inputs' errors."""
    local: Array | None
    """`d`; None if the operator is linear and rounds nothing."""
    carry_back: Callable[[Array], tuple[Array, ...]]
    """Rows of coefficients times `J`: shape (num_inputs, num_rows, *output) to one array for each
    input of the operator, shape (num_inputs, num_rows, *input)."""
    num_undecided: NDArray[np.int64] | None = None
    """Units, for each input, whose branch rounding could change."""


class Operator(Protocol):
    """A function of one or more earlier values; the first axis counts the network's inputs."""

    def apply(self, inputs: Sequence[Array]) -> Array:
        """The output in binary64."""

    def linearize(self, inputs: Sequence[Computed]) -> Linearization:
        """The output with its error; raises `OutOfRangeError`."""


def bound_roundings(count: float | Array) -> Array:
    """The largest relative error of a value after `count` roundings (Higham 2002, lemma 3.1)."""
    relative = np.asarray(count, dtype=np.float64) * CONTRACT.unit_roundoff
    if not (relative < 0.5).all():
        raise OutOfRangeError(
            f"a sum: expected fewer than {0.5 / CONTRACT.unit_roundoff:.2g} terms, got more"
        )
    return relative / (1 - relative)


def at_least_one(values: Array) -> Array:
    """The larger of 1 and each magnitude: `[x]` in docs/method.md."""
    return np.maximum(np.abs(values), 1.0)


def require_at_most(name: str, largest: float, limit: float) -> None:
    """Refuse a value above its limit, or NaN."""
    if not largest <= limit:
        raise OutOfRangeError(f"{name}: expected values up to {limit:.2g}, got {largest:.2g}")


def take_tensor(name: str, values: NDArray[np.floating]) -> Array:
    """A tensor in binary64, if it is in range."""
    wide = values.astype(np.float64)
    require_at_most(name, float(np.abs(wide).max(initial=0)), CONTRACT.max_tensor_value)
    return wide
