"""The faults that have a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultName = Literal[
    "byte_order",
    "classes_permuted",
    "constant_altered",
    "file_altered",
    "file_damaged",
    "foreign_manifest",
    "images_flipped",
    "images_shifted",
    "images_transposed",
    "labels_shifted",
    "layer_left_out",
    "low_precision",
    "parameter_altered",
    "pixels_inverted",
    "pixels_normalized",
    "pixels_scaled",
    "softmax_applied",
    "training_mode",
    "unknown",
]


@dataclass(frozen=True)
class Fault:
    """What is wrong."""

    name: FaultName
    text: str
    """A sentence or two for people: what is wrong, and what to do."""
