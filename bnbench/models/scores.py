"""What a classifier returns, as scores or labels of a known kind.

It takes what the model returned and runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.manifest import OutputKind

LARGEST_LABEL = 1 << 24
"""Labels are kept in float32, which has all whole numbers up to this."""


def choose_output(returned: Any, element: int | str | None, name: str) -> torch.Tensor:
    """The tensor that is meant, of whatever a model returned.

    Args:
        returned: a tensor, or a tuple, list or mapping of tensors.
        element: position or key; None if there is only one.
        name: the model's, for errors.

    Raises:
        RunError: there is no such tensor.
    """
    if isinstance(element, int) and isinstance(returned, Mapping):
        returned = list(returned.values())
    if element is not None:
        try:
            returned = returned[element]
        except (KeyError, IndexError, TypeError):
            raise RunError(
                f"{name}: expected an output {element!r}, got {_describe(returned)}"
            ) from None
    if not isinstance(returned, torch.Tensor):
        raise RunError(
            f"{name}: expected one tensor, got {_describe(returned)}; name one by --element"
        )
    return returned


def _describe(returned: Any) -> str:
    if isinstance(returned, Mapping):
        return f"outputs named {', '.join(map(str, returned))}"
    if isinstance(returned, (tuple, list)):
        return f"{len(returned)} outputs"
    return f"a {type(returned).__name__}"


def take_scores(output: torch.Tensor, num_inputs: int, name: str) -> NDArray[np.float32]:
    """Scores rounded to float32, shape (num_inputs, num_classes), or labels (num_inputs, 1).

    Raises:
        RunError: the tensor has another shape or type, or values that are not finite.
    """
    shape = tuple(output.shape)
    if output.dtype == torch.bool or output.is_complex():
        raise RunError(f"{name}: expected scores or labels, got a tensor of {output.dtype}")
    is_labels = not output.is_floating_point()
    fits = shape in ((num_inputs,), (num_inputs, 1)) if is_labels else len(shape) == 2
    if not fits or shape[0] != num_inputs or shape[-1] < 1:
        expected = f"labels of shape ({num_inputs},)" if is_labels else "scores of shape "
        raise RunError(
            f"{name}: expected {expected if is_labels else expected + f'({num_inputs}, classes)'}, "
            f"got shape {shape}"
        )
    scores: NDArray[np.float32] = output.detach().to(torch.float32).cpu().numpy()
    if not np.isfinite(scores).all():
        raise RunError(f"{name}: expected finite scores, got NaN or infinite ones")
    if is_labels and (scores.min() < 0 or scores.max() > LARGEST_LABEL):
        raise RunError(f"{name}: expected labels from 0 on, got {int(scores.min())}")
    return scores.reshape(num_inputs, -1)


def detect_kind(scores: NDArray[np.float32], is_floating: bool, epsilon: float) -> OutputKind:
    """What scores are, by their values.

    Args:
        scores: shape (num_inputs, width).
        is_floating: whether the model returned floating-point numbers.
        epsilon: machine epsilon of the coarsest type that they were computed in.

    Returns:
        ``labels`` if they are whole numbers; probabilities or their logarithms if each row sums to
        one; else logits.
    """
    if not is_floating:
        return "labels"
    tolerance = max(1e-3, 4 * epsilon)
    wide = scores.astype(np.float64)
    if scores.shape[1] == 1:
        return "logits"

    def sums_to_one(values: NDArray[np.float64]) -> bool:
        return bool(np.abs(values.sum(axis=1) - 1).max() <= tolerance)

    if wide.min() >= 0 and sums_to_one(wide):
        return "probabilities"
    if wide.max() <= tolerance and sums_to_one(np.exp(wide)):
        return "log-probabilities"
    return "logits"
