"""What a network is given: a data file's inputs, prepared as the manifest says.

The steps are applied in binary32, as runtimes apply them. How far a runtime's own steps may be from
these is part of what is taken: a byte over 255 may be a division or a product with a rounded
reciprocal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.graph import UncoveredError
from bnbench.models.operators.interface import Array, Computed, bound_roundings
from bnbench.models.preprocessing import Preprocessing, Step

Number = TypeVar("Number", np.float32, np.float64)

_STEP_ROUNDINGS = 3
"""Of a constant or its reciprocal, of that reciprocal's product, and of the reference's own."""
_EXACT_DTYPES = ("bool", "uint8", "int8", "int16", "float16", "float32")
"""Types whose numbers are all binary32 numbers."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """A network's inputs, prepared a part at a time."""

    given: NDArray[Any]
    """As the data file holds them; the first axis counts them."""
    preprocessing: Preprocessing = ()
    network_shape: tuple[int, ...] | None = None
    """Shape per input that the network takes; None if it takes them flat."""

    def __post_init__(self) -> None:
        if self.given.dtype.name not in _EXACT_DTYPES:
            raise UncoveredError(
                f"inputs: expected a type whose numbers are float32 ({', '.join(_EXACT_DTYPES)}), "
                f"got {self.given.dtype}"
            )

    def __len__(self) -> int:
        return len(self.given)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape per input."""
        return self.take(0, 1).values.shape[1:]

    def take(self, first: int, last: int) -> Computed:
        """Inputs from `first` up to `last` as the network is given them, and their errors.

        Raises:
            RunError: the network takes inputs of another shape.
        """
        values = self.given[first:last].astype(np.float32)
        errors: Array = np.zeros(values.shape)
        for step in self.preprocessing:
            values, errors = _apply(step, values, errors)
        if self.network_shape is None:
            shape: tuple[int, ...] = (math.prod(values.shape[1:]),)
        else:
            shape = self.network_shape
        wide = _reshape(values, shape).astype(np.float64)
        return Computed(wide, _reshape(errors, shape))


def _reshape(values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """The same inputs in another shape each."""
    if math.prod(values.shape[1:]) != math.prod(shape):
        raise RunError(
            f"inputs: expected shape {shape} each, as the network takes them, got "
            f"{values.shape[1:]}; check the data and its preprocessing"
        )
    return values.reshape(len(values), *shape)


def _apply(
    step: Step, values: NDArray[np.float32], errors: Array
) -> tuple[NDArray[np.float32], Array]:
    """One step in binary32, and how far a runtime's result may be from it."""
    rounding = float(bound_roundings(_STEP_ROUNDINGS))
    match step.step:
        case "divide":
            divisor = np.float32(step.by or 1)
            result = values / divisor
            return result, errors / abs(float(divisor)) + rounding * np.abs(result)
        case "scale":
            factor = np.float32(step.factor or 0)
            result = values * factor
            return result, errors * abs(float(factor)) + rounding * np.abs(result)
        case "normalize":
            ndim = max(values.ndim - 2, 0)
            mean, std = (
                np.asarray(numbers, dtype=np.float32).reshape(-1, *(1,) * ndim)
                for numbers in (step.mean, step.std)
            )
            result = (values - mean) / std
            size = (np.abs(values) + np.abs(mean)).astype(np.float64) / std
            return result, errors / std + (rounding + 2 * float(bound_roundings(1))) * size
        case "reshape":
            shape = step.shape or ()
            return _reshape(values, shape), _reshape(errors, shape)
        case "cast":
            if step.dtype in ("float16", "bfloat16"):
                raise UncoveredError(f"cast: expected float32 or whole numbers, got {step.dtype}")
            return values, errors
