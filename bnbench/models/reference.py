"""The reference: the exported weights evaluated in binary64 by NumPy, without torch.

Not a runtime: every runtime's logits are compared with these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnbench.models.graph import Graph
from bnbench.models.inputs import Inputs
from bnbench.models.stored_network import (
    Images,
    Layer,
    ShortcutLayer,
    StoredNetwork,
    make_operator,
)

_VALUES_AT_ONCE = 2**24


def evaluate_graph(graph: Graph, inputs: Inputs) -> NDArray[np.float64]:
    """Evaluate a network in binary64, some inputs at a time so that memory stays small."""
    step = max(1, _VALUES_AT_ONCE // graph.count_largest_value(inputs.shape))
    parts = [
        graph.evaluate(inputs.take(first, first + step).values)
        for first in range(0, max(len(inputs), 1), step)
    ]
    return np.concatenate(parts)


def scale_pixels(images: Images) -> NDArray[np.float64]:
    """The numbers that every runtime is given: each byte over 255, rounded to binary32.

    Floats are taken as they are.

    Returns:
        float64 that holds binary32 values, shape (num_images, num_inputs).
    """
    flat = images.reshape(len(images), -1).astype(np.float32)
    if images.dtype == np.uint8:
        flat /= np.float32(255)
    return flat.astype(np.float64)


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
