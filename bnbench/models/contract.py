"""The contract of a certificate: what it takes from a runtime and from a network.

`certificate` computes with these numbers, and every text that says "certified" prints `summary`.
docs/method.md derives them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Contract:
    """The conditions under which a bound holds; the defaults are the only ones in use."""

    unit_roundoff: float = 2.0**-24
    """Largest relative error of an operation: rounding to nearest in binary32, or finer."""
    underflow: float = 2.0**-126
    """Largest absolute error of reading a value or of an operation below the normal numbers: a
    subnormal may be flushed to zero."""
    reciprocal_root_units: int = 2
    """Largest error of a reciprocal square root, in units in the last place."""
    function_units: int = 4
    """Largest error of a smooth function, in units in the last place of 1: sigmoid, tanh, the
    normal distribution function (in GELU) and the logarithm; relative for the exponential."""
    max_tensor_value: float = 2.0**32
    """Largest magnitude of a weight, bias, gain, shift or running mean."""
    min_variance: float = 2.0**-32
    """Smallest running variance plus eps."""
    max_variance: float = 2.0**32
    """Largest running variance plus eps."""
    max_reach: float = 2.0**100
    """Largest value that any order of a stage's operations may meet; binary32 ends at 2^128."""
    max_normalized: float = 2.0**48
    """Largest input of a normalization that squares it."""

    @property
    def function_error(self) -> float:
        """`function_units` as a number."""
        return self.function_units * 2 * self.unit_roundoff

    @property
    def summary(self) -> str:
        """The runtimes that it covers, as the object of "in" or "for"."""
        units = {1: "one unit", 2: "two units"}[self.reciprocal_root_units]
        return (
            "any runtime that rounds each operation to nearest in binary32 or finer (reciprocal "
            f"roots to {units}, smooth functions to {self.function_units} units of 1, subnormals "
            "kept or flushed) and forms ordinary matrix products and convolutions, in any order "
            "(not Strassen's or Winograd's)"
        )

    @property
    def ranges(self) -> str:
        """The networks that it covers, in one sentence."""
        return (
            f"The network is in range: tensors up to 2^{math.log2(self.max_tensor_value):g}, "
            f"variances from 2^{math.log2(self.min_variance):g} to "
            f"2^{math.log2(self.max_variance):g}, no intermediate value above "
            f"2^{math.log2(self.max_reach):g}."
        )


CONTRACT = Contract()
