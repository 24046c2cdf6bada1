"""The derivatives of the logits with respect to each value of a network, layer by layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.hypothesis import Images, Values, replace_tensors
from bnbench.models.reference import apply_layer, scale_pixels
from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    Layer,
    LayerNormLayer,
    LinearLayer,
    StoredNetwork,
)


@dataclass(frozen=True, eq=False)
class Slope:
    """The derivative of logits with respect to a tensor's values, kept in factors."""

    name: str
    """The tensor's."""
    values: NDArray[np.float32]
    images: Images
    layer: int
    """Its layer's place in the network."""
    inputs: Values
    """The layer's, shape (num_images, num_inputs)."""
    outputs: Values
    """The derivative of logits with respect to the layer's outputs, shape (num_images, 10,
    num_units)."""
    factor: Values
    """The derivative of a unit's output with respect to its own value, shape (num_images,
    num_units); of a matrix, that of unit `i` with respect to value [i, j] is input `j`."""

    def project(self, residual: Values) -> tuple[Values, Values]:
        """Products of every value's derivative with `residual`, and with itself.

        Args:
            residual: shape (num_images, 10).

        Returns:
            Both in the tensor's shape.
        """
        along = np.einsum("ik,iku->iu", residual, self.outputs)
        square = np.square(self.outputs).sum(axis=1)
        if self.values.ndim == 2:
            return along.T @ self.inputs, square.T @ np.square(self.inputs)
        return (along * self.factor).sum(axis=0), (square * np.square(self.factor)).sum(axis=0)

    def make_matrix(self) -> Values:
        """A vector's derivatives, shape (num_images * 10, num_units)."""
        result: Values = (self.outputs * self.factor[:, None]).reshape(-1, len(self.values))
        return result


def list_slopes(
    network: StoredNetwork,
    images: Images,
    tensors: Mapping[str, NDArray[np.float32]] | None = None,
) -> list[Slope]:
    """Slopes of every tensor, first layer to last, where `tensors` replace the network's own."""
    layers = replace_tensors(network, tensors or {}).layers
    inputs = [scale_pixels(images)]
    for layer in layers:
        inputs.append(apply_layer(layer, inputs[-1]))
    slopes: list[Slope] = []
    outputs = np.broadcast_to(np.eye(10), (len(images), 10, 10))
    for number in reversed(range(len(layers))):
        layer = layers[number]
        for key, factor in reversed(_list_factors(layer, inputs[number]).items()):
            values = getattr(layer, key)
            name = f"{layer.name}.{key}"
            slopes.append(Slope(name, values, images, number, inputs[number], outputs, factor))
        if number:
            outputs = _carry_back(layer, inputs[number], inputs[number + 1], outputs)
    return slopes[::-1]


def run_from(network: StoredNetwork, slope: Slope, values: Values) -> Values:
    """The logits with other values in a slope's tensor; earlier layers are not evaluated again."""
    key = slope.name.rpartition(".")[2]
    layer: Layer = dataclasses.replace(network.layers[slope.layer], **{key: values})  # type: ignore[arg-type]
    outputs = apply_layer(layer, slope.inputs)
    for layer in network.layers[slope.layer + 1 :]:
        outputs = apply_layer(layer, outputs)
    return outputs


def _list_factors(layer: Layer, inputs: Values) -> dict[str, Values]:
    """`Slope.factor` of each of a layer's tensors."""
    match layer:
        case LinearLayer():
            ones = np.ones((len(inputs), len(layer.bias)))
            return {"weight": ones, "bias": ones}
        case BatchNormLayer():
            deviation = np.sqrt(layer.running_var.astype(np.float64) + layer.eps)
            centered = inputs - layer.running_mean
            return {
                "weight": centered / deviation,
                "bias": np.ones_like(inputs),
                "running_mean": np.broadcast_to(-layer.weight / deviation, inputs.shape),
                "running_var": -0.5 * centered * layer.weight / deviation**3,
            }
        case LayerNormLayer():
            centered = inputs - inputs.mean(axis=1, keepdims=True)
            deviation = np.sqrt(np.square(centered).mean(axis=1, keepdims=True) + layer.eps)
            return {"weight": centered / deviation, "bias": np.ones_like(inputs)}
        case ActivationLayer():
            return {}


def _carry_back(layer: Layer, inputs: Values, values: Values, outputs: Values) -> Values:
    """Derivatives with respect to a layer's inputs from those with respect to its outputs."""
    match layer:
        case LinearLayer():
            return outputs @ layer.weight.astype(np.float64)
        case BatchNormLayer():
            scale = layer.weight / np.sqrt(layer.running_var.astype(np.float64) + layer.eps)
            return outputs * scale
        case LayerNormLayer():
            centered = inputs - inputs.mean(axis=1, keepdims=True)
            deviation = np.sqrt(np.square(centered).mean(axis=1, keepdims=True) + layer.eps)
            normal = (centered / deviation)[:, None]
            scaled = outputs * layer.weight
            along = (scaled * normal).mean(axis=2, keepdims=True)
            mean = scaled.mean(axis=2, keepdims=True)
            carried: Values = (scaled - mean - normal * along) / deviation[:, None]
            return carried
        case ActivationLayer():
            slope = {
                "relu": (values > 0).astype(np.float64),
                "tanh": 1 - values**2,
                "sigmoid": values * (1 - values),
            }[layer.kind]
            return outputs * slope[:, None]
