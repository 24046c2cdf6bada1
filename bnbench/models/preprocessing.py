"""What turns stored inputs into what a model takes: a short list of steps, as data.

The steps are part of a manifest and can be typed: ``divide=255,normalize=0.5/0.5,reshape=1x28x28``.
It does not compute; `bnbench.models.classifiers` and the C++ program apply the steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bnbench.errors import SpecError

DTYPES = (
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
)
"""Types of inputs, by the names that torch and NumPy share."""
StepName = Literal["divide", "scale", "normalize", "reshape", "cast"]
_FIELDS: dict[str, tuple[str, ...]] = {
    "divide": ("by",),
    "scale": ("factor",),
    "normalize": ("mean", "std"),
    "reshape": ("shape",),
    "cast": ("dtype",),
}
SYNTAX = (
    "divide=255, scale=0.5, normalize=MEAN/STD (one number, or one per channel with ':' between), "
    "reshape=1x28x28 or cast=float16"
)
"""The steps as they are typed, for help and errors."""


@dataclass(frozen=True)
class Step:
    """One step; only the fields that it takes are not None.

    Arithmetic is in float32, or in float64 if the inputs are float64: ``divide`` and ``scale``
    change each number, ``normalize`` computes (x - mean) / std per channel, the first dimension of
    an input.
    """

    step: StepName
    by: float | None = None
    """Divisor of ``divide``."""
    factor: float | None = None
    """Factor of ``scale``."""
    mean: tuple[float, ...] | None = None
    """Of ``normalize``: one number, or one per channel."""
    std: tuple[float, ...] | None = None
    """As many as `mean`; above 0."""
    shape: tuple[int, ...] | None = None
    """Shape per input after ``reshape``."""
    dtype: str | None = None
    """Type after ``cast``."""

    def __post_init__(self) -> None:
        for name in ("by", "factor", "mean", "std", "shape", "dtype"):
            value = getattr(self, name)
            if (value is not None) != (name in _FIELDS[self.step]):
                expected = " and ".join(_FIELDS[self.step])
                got = f"no {name}" if value is None else name
                raise SpecError(f"{name}: expected {expected} of step {self.step!r}, got {got}")
        numbers = [self.by, self.factor, *(self.mean or ()), *(self.std or ())]
        if any(number is not None and not math.isfinite(number) for number in numbers):
            raise SpecError(f"{self.step}: expected finite numbers, got {format_step(self)!r}")
        if self.by == 0 or any(number <= 0 for number in self.std or ()):
            raise SpecError(f"{self.step}: expected a divisor above 0, got {format_step(self)!r}")
        if self.mean is not None and (not self.mean or len(self.mean) != len(self.std or ())):
            raise SpecError(
                f"normalize: expected as many means as deviations, got {format_step(self)!r}"
            )
        if self.shape is not None and any(size < 1 for size in self.shape):
            raise SpecError(f"reshape: expected sizes of at least 1, got {format_step(self)!r}")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise SpecError(f"dtype: expected one of {', '.join(DTYPES)}; got {self.dtype!r}")

    def to_mapping(self) -> Mapping[str, Any]:
        """The step as a manifest holds it, without the fields that it does not take."""
        return {"step": self.step, **{name: getattr(self, name) for name in _FIELDS[self.step]}}


Preprocessing = tuple[Step, ...]


def parse_preprocessing(text: str) -> Preprocessing:
    """Read steps as they are typed, such as ``divide=255,reshape=1x28x28``; empty is no step.

    Raises:
        SpecError: a step is unknown or its value is none.
    """
    return tuple(_parse_step(part.strip()) for part in text.split(",") if part.strip())


def format_preprocessing(steps: Preprocessing) -> str:
    """The text that `parse_preprocessing` reads as these steps."""
    return ",".join(map(format_step, steps))


def format_step(step: Step) -> str:
    """One step as it is typed."""
    if step.step == "normalize":
        mean, std = (":".join(map(_number, values or ())) for values in (step.mean, step.std))
        return f"normalize={mean}/{std}"
    if step.step == "reshape":
        return "reshape=" + "x".join(map(str, step.shape or ()))
    if step.step == "cast":
        return f"cast={step.dtype}"
    return f"{step.step}={_number(getattr(step, _FIELDS[step.step][0]))}"


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")


def _parse_step(text: str) -> Step:
    name, equals, value = text.partition("=")
    try:
        if not equals:
            raise ValueError
        match name:
            case "divide":
                return Step("divide", by=float(value))
            case "scale":
                return Step("scale", factor=float(value))
            case "normalize":
                mean, std = value.split("/")
                return Step(
                    "normalize",
                    mean=tuple(map(float, mean.split(":"))),
                    std=tuple(map(float, std.split(":"))),
                )
            case "reshape":
                return Step("reshape", shape=tuple(map(int, value.split("x"))))
            case "cast":
                return Step("cast", dtype=value)
    except ValueError:
        pass
    raise SpecError(f"preprocess: expected {SYNTAX}, got {text!r}")
