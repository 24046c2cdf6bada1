"""The reference: the exported weights evaluated in binary64 by NumPy, without torch.

Not a runtime: every runtime's logits are compared with these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.graph import Graph
from bnbench.models.stored_network import (
    Images,
    Layer,
    ShortcutLayer,
    StoredNetwork,
    make_operator,
)

PIXEL_ROUNDINGS = 3
"""A byte over 255, by division or by a rounded reciprocal."""
_VALUES_AT_ONCE = 2**22


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network is given."""

    values: NDArray[np.float64]
    """Binary32 numbers in binary64, shape (num_inputs, ...)."""
    num_roundings: int = 0
    """Roundings by which a runtime's inputs may differ; 0 for numbers that it is given."""


def prepare_inputs(graph: Graph, given: NDArray[np.uint8] | NDArray[np.float32]) -> Inputs:
    """What a network makes of a data set's inputs, in the shape that it takes.

    Args:
        graph: the network.
        given: bytes are pixels, to be divided by 255; binary32 numbers are taken as they are.

    Raises:
        RunError: they have another number of values than the network takes, or another type.
    """
    if given.dtype == np.uint8:
        flat, num_roundings = scale_pixels(given), PIXEL_ROUNDINGS
    elif given.dtype == np.float32:
        flat, num_roundings = given.reshape(len(given), -1).astype(np.float64), 0
    else:
        raise RunError(f"inputs: expected uint8 or float32, got {given.dtype}")
    shape = flat.shape[1:] if graph.input_shape is None else graph.input_shape
    if math.prod(shape) != flat.shape[1]:
        raise RunError(f"inputs: expected shape {shape} each, got {given.shape[1:]}")
    return Inputs(flat.reshape(len(flat), *shape), num_roundings)


def evaluate_graph(graph: Graph, inputs: Inputs) -> NDArray[np.float64]:
    """Evaluate a network in binary64, some inputs at a time so that memory stays small."""
    step = max(1, _VALUES_AT_ONCE // max(1, math.prod(inputs.values.shape[1:]) * 64))
    parts = [
        graph.evaluate(inputs.values[first : first + step])
        for first in range(0, max(len(inputs.values), 1), step)
    ]
    return np.concatenate(parts)


def scale_pixels(images: Images) -> NDArray[np.float64]:
    """The pixels that every runtime is given: each byte over 255, rounded to binary32.

    Returns:
        float64 that holds binary32 values, shape (num_images, 784).
    """
    flat = images.reshape(len(images), -1).astype(np.float32)
    return (flat / np.float32(255)).astype(np.float64)


def compute_logits(network: StoredNetwork, images: Images) -> NDArray[np.float64]:
    """Evaluate a stored network in binary64: logits of shape (num_images, 10)."""
    return evaluate(network, scale_pixels(images))


def evaluate(network: StoredNetwork, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate a stored network on pixels of shape (num_images, 784)."""
    values = pixels
    for layer in network.layers:
        values = apply_layer(layer, values)
    return values


def apply_layer(layer: Layer, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A layer's outputs for inputs of shape (num_images, num_units)."""
    if not isinstance(layer, ShortcutLayer):
        return make_operator(layer).apply([values])
    outputs = values
    for inner in layer.layers:
        outputs = apply_layer(inner, outputs)
    kept = min(values.shape[1], outputs.shape[1])
    outputs = outputs.copy()
    outputs[:, :kept] += values[:, :kept]
    return outputs
