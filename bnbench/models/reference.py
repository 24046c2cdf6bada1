"""The reference: the exported weights evaluated in binary64 by NumPy, without torch.

Not a runtime: every runtime's logits are compared with these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from bnbench.models.stored_network import (
    ActivationKind,
    ActivationLayer,
    BatchNormLayer,
    Images,
    Layer,
    LayerNormLayer,
    LinearLayer,
    RmsNormLayer,
    ShortcutLayer,
    StoredNetwork,
)

_ACTIVATIONS: dict[ActivationKind, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "relu": lambda values: np.maximum(values, 0.0),
    "gelu": lambda values: values * ndtr(values),
    "silu": lambda values: values * expit(values),
    "sigmoid": expit,
    "tanh": np.tanh,
}


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
    match layer:
        case LinearLayer():
            mapped: NDArray[np.float64] = values @ layer.weight.T.astype(np.float64) + layer.bias
            return mapped
        case BatchNormLayer():
            return (values - layer.running_mean) * layer.scale + layer.bias
        case LayerNormLayer():
            centered = values - values.mean(axis=1, keepdims=True)
            variance = (centered**2).mean(axis=1, keepdims=True)
            normal: NDArray[np.float64] = centered / np.sqrt(variance + layer.eps)
            return normal * layer.weight + layer.bias
        case RmsNormLayer():
            square = (values**2).mean(axis=1, keepdims=True)
            scaled: NDArray[np.float64] = values / np.sqrt(square + layer.eps) * layer.weight
            return scaled
        case ShortcutLayer():
            outputs = values
            for inner in layer.layers:
                outputs = apply_layer(inner, outputs)
            kept = min(values.shape[1], outputs.shape[1])
            outputs = outputs.copy()
            outputs[:, :kept] += values[:, :kept]
            return outputs
        case ActivationLayer():
            activated: NDArray[np.float64] = _ACTIVATIONS[layer.kind](values)
            return activated
