"""Stored inputs as a model takes them: the steps of `preprocessing`, computed with torch.

The C++ program computes the same to the last bit.
"""

from __future__ import annotations

import numpy as np
import torch

from bnbench.array_files import StoredArray
from bnbench.errors import SpecError
from bnbench.models.preprocessing import Preprocessing, Step, format_step


def prepare_inputs(
    stored: StoredArray, chosen: slice | list[int], steps: Preprocessing
) -> torch.Tensor:
    """The chosen inputs after all steps.

    Args:
        stored: shape (num_inputs, ...).
        chosen: a range of inputs, or their numbers.
        steps: in their order; arithmetic is in float32, or in float64 if the inputs are float64.

    Raises:
        SpecError: a step does not fit the inputs.
    """
    batch = torch.from_numpy(np.array(stored.values[chosen]))
    if stored.dtype == "bfloat16":
        batch = batch.view(torch.bfloat16)
    for step in steps:
        batch = _apply(batch, step)
    return batch


def _apply(batch: torch.Tensor, step: Step) -> torch.Tensor:
    shape = tuple(batch.shape[1:])
    if step.shape is not None:
        if np.prod(step.shape, dtype=object) != np.prod(shape, dtype=object):
            raise SpecError(
                f"preprocess: expected a shape of as many values as {shape}, got "
                f"{format_step(step)!r}"
            )
        return batch.reshape(len(batch), *step.shape)
    if step.dtype is not None:
        return _cast(batch, getattr(torch, step.dtype), step)
    if batch.dtype != torch.float64:
        batch = batch.to(torch.float32)

    def constants(values: tuple[float, ...]) -> torch.Tensor:
        return torch.tensor(values, dtype=batch.dtype)

    if step.by is not None:
        return batch / constants((step.by,))
    if step.factor is not None:
        return batch * constants((step.factor,))
    mean, std = constants(step.mean or ()), constants(step.std or ())
    if len(mean) > 1:
        if not shape or len(mean) != shape[0]:
            raise SpecError(
                f"preprocess: expected as many means as channels, the first dimension of {shape}, "
                f"got {format_step(step)!r}"
            )
        ones = (1,) * (batch.dim() - 2)
        mean, std = mean.reshape(-1, *ones), std.reshape(-1, *ones)
    return (batch - mean) / std


def _cast(batch: torch.Tensor, dtype: torch.dtype, step: Step) -> torch.Tensor:
    is_wider = dtype in (torch.int32, torch.int64) and batch.element_size() <= dtype.itemsize
    fits = dtype == batch.dtype or dtype.is_floating_point
    if not fits and (batch.is_floating_point() or not is_wider):
        raise SpecError(
            "preprocess: expected a cast to a floating-point type, or from whole numbers to wider "
            f"ones, got {format_step(step)!r} of {batch.dtype}"
        )
    return batch.to(dtype)
