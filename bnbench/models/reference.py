"""The float64 runtime: the exported weights evaluated in binary64 by NumPy, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    Layer,
    LayerNormLayer,
    LinearLayer,
    StoredNetwork,
    read_stored_network,
)


def scale_pixels(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What every runtime is fed: each byte over 255, rounded to binary32.

    Args:
        images: uint8, shape (num_images, 28, 28).

    Returns:
        float64 that holds binary32 values, shape (num_images, 784).
    """
    flat = images.reshape(len(images), -1).astype(np.float32)
    return (flat / np.float32(255)).astype(np.float64)


def compute_logits(network: StoredNetwork, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Evaluate a stored network in binary64.

    Args:
        network: as read from its file.
        images: uint8, shape (num_images, 28, 28).

    Returns:
        float64, shape (num_images, 10).
    """
    return evaluate(network, scale_pixels(images))


def evaluate(network: StoredNetwork, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate a stored network on pixels, shape (num_images, 784), as they are."""
    values = pixels
    for layer in network.layers:
        values = apply_layer(layer, values)
    return values


def apply_layer(layer: Layer, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a layer makes of its inputs, shape (num_images, num_units)."""
    match layer:
        case LinearLayer():
            mapped: NDArray[np.float64] = values @ layer.weight.T.astype(np.float64) + layer.bias
            return mapped
        case BatchNormLayer():
            scale = layer.weight / np.sqrt(layer.running_var.astype(np.float64) + layer.eps)
            scaled: NDArray[np.float64] = (values - layer.running_mean) * scale + layer.bias
            return scaled
        case LayerNormLayer():
            centered = values - values.mean(axis=1, keepdims=True)
            variance = (centered**2).mean(axis=1, keepdims=True)
            normal: NDArray[np.float64] = centered / np.sqrt(variance + layer.eps)
            return normal * layer.weight + layer.bias
        case ActivationLayer():
            return _activate(layer, values)


def _activate(layer: ActivationLayer, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if layer.kind == "relu":
        return np.maximum(values, 0.0)
    if layer.kind == "tanh":
        return np.tanh(values)
    # 1 / (1 + exp(-x)) overflows for large negative x; this form of it never does.
    return 0.5 * (1.0 + np.tanh(0.5 * values))


class Float64Model:
    """A stored network as a `LoadedModel`."""

    def __init__(self, network: StoredNetwork) -> None:
        self._network = network

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """See `LoadedModel`."""
        return compute_logits(self._network, images)


class Float64Runtime:
    """Shares with the others neither kernels nor reader: NumPy, and the file's own bytes."""

    name = "float64"
    version = f"numpy {np.__version__}"

    def load(self, model: Path) -> Float64Model:
        """See `Runtime`."""
        return Float64Model(read_stored_network(model.read_bytes()))


def open_runtime(models: Sequence[Path], data_folder: Path) -> Float64Runtime:  # noqa: ARG001
    """See `bnbench.models.runtimes`."""
    return Float64Runtime()
