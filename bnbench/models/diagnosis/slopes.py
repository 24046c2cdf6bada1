"""The derivatives of the logits with respect to each value of a network, layer by layer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.hypothesis import Values
from bnbench.models.reference import apply_layer, scale_pixels
from bnbench.models.stored_network import (
    Images,
    Layer,
    LayerNormLayer,
    LinearLayer,
    RmsNormLayer,
    ShortcutLayer,
    StoredNetwork,
)

_STEP = 2.0**-20
"""Of difference quotients; their error is about a millionth, which a fit corrects."""


@dataclass(frozen=True, eq=False)
class Slope:
    """The derivative of logits with respect to a tensor's values, kept in factors."""

    name: str
    """The tensor's."""
    values: NDArray[np.float32]
    layer: int
    """Its layer's place in the network."""
    inputs: Values
    """The layer's, shape (num_images, num_inputs)."""
    outputs: Values
    """The derivative of logits with respect to the layer's outputs, shape (num_images, 10,
    num_units)."""
    factor: Values | None
    """The derivative of a unit's output with respect to its own value, shape (num_images,
    num_units); None for a matrix, since that of unit `i` to value [i, j] is input `j`."""

    def project(self, residual: Values) -> tuple[Values, Values]:
        """Products of every value's derivative with `residual`, shape (num_images, 10), and itself.

        Both have the tensor's shape.
        """
        along = np.einsum("ik,iku->iu", residual, self.outputs)
        square = np.square(self.outputs).sum(axis=1)
        if self.factor is None:
            return along.T @ self.inputs, square.T @ np.square(self.inputs)
        return (along * self.factor).sum(axis=0), (square * np.square(self.factor)).sum(axis=0)


def list_slopes(network: StoredNetwork, images: Images) -> list[Slope]:
    """Slopes of every tensor, first layer to last."""
    inputs = [scale_pixels(images)]
    for layer in network.layers:
        inputs.append(apply_layer(layer, inputs[-1]))
    slopes: list[Slope] = []
    num_classes = inputs[-1].shape[1]
    outputs = np.broadcast_to(np.eye(num_classes), (len(images), num_classes, num_classes))
    for number, layer in reversed(list(enumerate(network.layers))):
        for key, values in reversed(vars(layer).items()):
            if isinstance(values, np.ndarray):
                factor = _find_factor(layer, key, inputs[number]) if values.ndim == 1 else None
                name = f"{layer.name}.{key}"
                slopes.append(Slope(name, values, number, inputs[number], outputs, factor))
        if number:
            outputs = _carry_back(layer, inputs[number], outputs)
    return slopes[::-1]


def run_from(network: StoredNetwork, slope: Slope, values: Values) -> Values:
    """The logits with other values in a slope's tensor; earlier layers are not evaluated again."""
    layers = network.layers[slope.layer :]
    outputs = apply_layer(_replace(layers[0], slope.name.rpartition(".")[2], values), slope.inputs)
    for layer in layers[1:]:
        outputs = apply_layer(layer, outputs)
    return outputs


def _replace(layer: Layer, key: str, values: Values) -> Layer:
    return dataclasses.replace(layer, **{key: values})  # type: ignore[arg-type]


def _find_factor(layer: Layer, key: str, inputs: Values) -> Values:
    """`Slope.factor` of one of a layer's vectors: no unit depends on another's value."""
    values = np.asarray(vars(layer)[key], dtype=np.float64)
    moved = values + _STEP * np.maximum(np.abs(values), 1e-3)
    difference = apply_layer(_replace(layer, key, moved), inputs) - apply_layer(layer, inputs)
    return difference / (moved - values)


def _carry_back(layer: Layer, inputs: Values, outputs: Values) -> Values:
    """Derivatives with respect to a layer's inputs from those with respect to its outputs."""
    if isinstance(layer, LinearLayer):
        return outputs @ layer.weight.astype(np.float64)
    if isinstance(layer, LayerNormLayer):
        centered = inputs - inputs.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.square(centered).mean(axis=1, keepdims=True) + layer.eps)
        normal = (centered / deviation)[:, None]
        scaled = outputs * layer.weight
        along = (scaled * normal).mean(axis=2, keepdims=True)
        mean = scaled.mean(axis=2, keepdims=True)
        carried: Values = (scaled - mean - normal * along) / deviation[:, None]
        return carried
    if isinstance(layer, RmsNormLayer):
        deviation = np.sqrt(np.square(inputs).mean(axis=1, keepdims=True) + layer.eps)
        normal = (inputs / deviation)[:, None]
        scaled = outputs * layer.weight
        along = (scaled * normal).mean(axis=2, keepdims=True)
        carried_rms: Values = (scaled - normal * along) / deviation[:, None]
        return carried_rms
    if isinstance(layer, ShortcutLayer):
        within = [inputs]
        for inner in layer.layers:
            within.append(apply_layer(inner, within[-1]))
        through = outputs
        for inner, values in zip(reversed(layer.layers), reversed(within[:-1]), strict=True):
            through = _carry_back(inner, values, through)
        through = through.copy()
        kept = min(through.shape[2], outputs.shape[2])
        through[:, :, :kept] += outputs[:, :, :kept]
        return through
    # All others work unit by unit.
    slope = (apply_layer(layer, inputs + _STEP) - apply_layer(layer, inputs)) / _STEP
    return outputs * slope[:, None]
