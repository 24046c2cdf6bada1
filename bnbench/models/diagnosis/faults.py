"""The list of faults that have a name; docs/method.md explains each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultName = Literal[
    "byte_order",
    "classes_permuted",
    "computed_in_bfloat16",
    "computed_in_tf32",
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
    """One or two sentences: what is wrong, and what to do."""
