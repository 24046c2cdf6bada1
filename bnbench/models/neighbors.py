"""Whether a model gives an input the same scores in any batch, every time.

The C++ program checks the same way, by the same tolerance (``cpp/bnbench/model/neighbors.h``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import BnbenchError

Scores = NDArray[np.float32]

_SAMPLE_SIZE = 4
_LABEL_SAMPLE_SIZE = 32
_ALLOWED_SHARE_OF_LABELS = 0.25


def find_tolerance(epsilon: float) -> float:
    """How far scores may be apart because another batch size rounds otherwise.

    Relative to the largest score of the sample: 32 units of the model's coarsest type, at least
    1e-4.
    """
    return max(1e-4, 32 * epsilon)


def find_neighbor_fault(
    scores: Scores, is_labels: bool, epsilon: float, run: Callable[[Sequence[int]], Scores]
) -> str | None:
    """Run a sample of inputs alone and twice in other company, and compare the scores.

    Args:
        scores: of all inputs, shape (num_inputs, width).
        is_labels: whether they are labels. A label has no tolerance: more than a quarter of the
            sample must differ, or any from its own second run.
        epsilon: machine epsilon of the model's coarsest type.
        run: scores of the inputs with these numbers, run as one batch.

    Returns:
        What is wrong, beginning with ``depends on the batch`` or ``is not deterministic``; None if
        nothing is.
    """
    count = len(scores)
    size = min(count, _LABEL_SAMPLE_SIZE if is_labels else _SAMPLE_SIZE)
    sample = [number * count // size for number in range(size)]
    # Each of the sample after a neighbor from elsewhere.
    company = [i for number in sample for i in ((number + count // 3 + 1) % count, number)]
    before = scores[sample]
    allowed = (
        _ALLOWED_SHARE_OF_LABELS if is_labels else find_tolerance(epsilon) * np.abs(before).max()
    )

    def measure(a: Scores, b: Scores) -> float:
        if is_labels:
            return float((a != b).mean())
        return float(np.abs(a.astype(np.float64) - b).max())

    together, again = run(company)[1::2], run(company)[1::2]
    moved = measure(together, again)
    unit = " of the labels" if is_labels else ""
    if moved > (0 if is_labels else allowed):
        return (
            "is not deterministic: expected the same scores twice for the same batch, got a "
            f"difference of {moved:.3g}{unit} (allowed: {0 if is_labels else allowed:.3g}); call "
            "eval() before exporting"
        )
    try:
        alone = np.concatenate([run([number]) for number in sample])
    except BnbenchError as error:
        return (
            f"depends on the batch: expected to run on one input alone, got {error}; export it for "
            "any batch size"
        )
    apart, where = max(
        (measure(before, together), "in other company"), (measure(before, alone), "alone")
    )
    if apart > allowed:
        return (
            f"depends on the batch: expected the same scores in any batch, got a difference of "
            f"{apart:.3g}{unit} {where} (allowed: {allowed:.3g}); call eval() before exporting"
        )
    return None
