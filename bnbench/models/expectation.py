"""What a model gave for inputs, as its manifest holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.array_hash import hash_values
from bnbench.models.manifest import Expectation, OutputKind, Probes

NUM_PROBES = 8
"""Inputs whose scores the manifest holds."""


def predict(scores: NDArray[Any], kind: OutputKind) -> NDArray[np.int64]:
    """The class of each input: the first largest score, or the label itself.

    Args:
        scores: float32, shape (num_inputs, num_classes); for labels (num_inputs,) or
            (num_inputs, 1).
        kind: what the scores are.

    Returns:
        Shape (num_inputs,).
    """
    if kind == "labels":
        return scores.reshape(len(scores)).astype(np.int64)
    classes: NDArray[np.int64] = scores.argmax(axis=1)
    return classes


def describe_results(scores: NDArray[Any], kind: OutputKind, targets: NDArray[Any]) -> Expectation:
    """The predictions, their count of correct ones, and the scores of a few inputs.

    Args:
        scores: as `predict` takes them.
        kind: what the scores are.
        targets: classes, shape (num_inputs,).
    """
    predictions, total = predict(scores, kind), len(targets)
    indices = [number * total // NUM_PROBES for number in range(min(NUM_PROBES, total))]
    probes = Probes(tuple(indices), tuple(map(tuple, scores[indices].tolist())))
    return Expectation(
        total=total,
        correct=int((predictions == targets).sum()),
        predictions=tuple(predictions.tolist()),
        predictions_sha256=hash_values(predictions),
        probes=None if kind == "labels" else probes,
    )
