"""Evaluators that the contract of a certificate allows, emulated in NumPy's binary32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnbench.models.certificate import Certificate, Refusal, certify
from bnbench.models.inputs import Inputs
from bnbench.models.preprocessing import Step
from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    Layer,
    LinearLayer,
    StoredNetwork,
)

Float32 = NDArray[np.float32]
Sum = Callable[["Evaluator", Float32, Float32, Float32], Float32]

BYTES_OVER_255 = (Step("divide", by=255),)
SMALLEST_NORMAL = np.float32(2.0**-126)


def sum_one_by_one(
    evaluator: Evaluator, values: Float32, weight: Float32, bias: Float32
) -> Float32:
    total = np.zeros((len(values), len(weight)), dtype=np.float32)
    for column in range(weight.shape[1]):
        product = evaluator.keep(values[:, column, None] * weight[:, column])
        total = evaluator.keep(total + product)
    return evaluator.keep(total + bias)


def sum_from_the_bias_backwards(
    evaluator: Evaluator, values: Float32, weight: Float32, bias: Float32
) -> Float32:
    total = np.broadcast_to(bias, (len(values), len(weight)))
    for column in reversed(range(weight.shape[1])):
        product = evaluator.keep(values[:, column, None] * weight[:, column])
        total = evaluator.keep(total + product)
    return total


def sum_in_pairs(evaluator: Evaluator, values: Float32, weight: Float32, bias: Float32) -> Float32:
    terms = evaluator.keep(values[:, None, :] * weight)
    while terms.shape[2] > 1:
        if terms.shape[2] % 2:
            terms = np.concatenate([terms, np.zeros_like(terms[..., :1])], axis=2)
        terms = evaluator.keep(terms[..., 0::2] + terms[..., 1::2])
    return evaluator.keep(terms[..., 0] + bias)


def sum_in_blocks(evaluator: Evaluator, values: Float32, weight: Float32, bias: Float32) -> Float32:
    zero = np.zeros_like(bias)
    parts = [
        sum_one_by_one(evaluator, values[:, first : first + 5], weight[:, first : first + 5], zero)
        for first in range(0, weight.shape[1], 5)
    ]
    total = np.broadcast_to(bias, parts[0].shape)
    for part in parts:
        total = evaluator.keep(total + part)
    return total


def sum_fused(evaluator: Evaluator, values: Float32, weight: Float32, bias: Float32) -> Float32:
    # A product and a sum with one rounding; extended precision holds every product of binary32.
    total = np.broadcast_to(bias, (len(values), len(weight)))
    for column in range(weight.shape[1]):
        product = values[:, column, None].astype(np.longdouble) * weight[:, column]
        total = evaluator.keep((product + total).astype(np.float32))
    return total


def sum_small_to_large(
    evaluator: Evaluator, values: Float32, weight: Float32, bias: Float32
) -> Float32:
    terms = evaluator.keep(values[:, None, :] * weight)
    terms = np.take_along_axis(terms, np.abs(terms).argsort(axis=2), axis=2)
    total = np.zeros(terms.shape[:2], dtype=np.float32)
    for column in range(terms.shape[2]):
        total = evaluator.keep(total + terms[..., column])
    return evaluator.keep(total + bias)


def sum_in_binary64(
    evaluator: Evaluator, values: Float32, weight: Float32, bias: Float32
) -> Float32:
    total = values.astype(np.float64) @ weight.T.astype(np.float64) + bias
    return evaluator.keep(total.astype(np.float32))


SUMS: dict[str, Sum] = {
    "one by one": sum_one_by_one,
    "from the bias backwards": sum_from_the_bias_backwards,
    "in pairs": sum_in_pairs,
    "in blocks": sum_in_blocks,
    "fused": sum_fused,
    "small to large": sum_small_to_large,
    "in binary64": sum_in_binary64,
}
NORM_FORMS = (
    "centered",
    "gain first",
    "quotient",
    "scaled and shifted",
    "folded",
    "folded gain last",
)


@dataclass(frozen=True)
class Evaluator:
    """A way to evaluate a network in binary32, rounding to nearest."""

    sum: Sum = sum_one_by_one
    norm_form: str = "centered"
    scales_by_reciprocal: bool = False
    flushes_subnormals: bool = False
    root_units: int = 0
    """Error of reciprocal roots, in units in the last place."""

    def keep(self, values: Float32) -> Float32:
        """A result as the next operation reads it."""
        assert values.dtype == np.float32
        if self.flushes_subnormals:
            return np.where(np.abs(values) < SMALLEST_NORMAL, np.float32(0), values)
        return values

    def evaluate(self, network: StoredNetwork, images: NDArray[np.uint8]) -> Float32:
        """Logits, shape (num_images, 10); may hold NaN or infinity."""
        with np.errstate(all="ignore"):
            return self._evaluate(network, images)

    def _evaluate(self, network: StoredNetwork, images: NDArray[np.uint8]) -> Float32:
        flat = images.reshape(len(images), -1).astype(np.float32)
        scaled_by = np.float32(1) / np.float32(255)
        values = flat * scaled_by if self.scales_by_reciprocal else flat / np.float32(255)
        layers: list[Layer] = list(network.layers)
        while layers:
            layer = layers.pop(0)
            if isinstance(layer, ActivationLayer):
                values = np.maximum(values, np.float32(0))
                continue
            assert isinstance(layer, LinearLayer)
            weight, bias = self.keep(layer.weight), self.keep(layer.bias)
            if layers and isinstance(layers[0], BatchNormLayer):
                values = self._normalize(values, weight, bias, layers.pop(0))
            else:
                values = self.sum(self, values, weight, bias)
        return values

    def _normalize(self, values: Float32, weight: Float32, bias: Float32, norm: Layer) -> Float32:
        assert isinstance(norm, BatchNormLayer)
        keep = self.keep
        gain, shift, mean = keep(norm.weight), keep(norm.bias), keep(norm.running_mean)
        root = np.sqrt(keep(keep(norm.running_var) + np.float32(norm.eps)))
        inverse = np.float32(1) / root
        for _ in range(self.root_units):
            inverse = np.nextafter(inverse, np.float32(np.inf))
        scale = keep(inverse * gain)
        if self.norm_form.startswith("folded"):
            folded = keep(weight * scale[:, None])
            if self.norm_form == "folded gain last":
                folded = keep(keep(weight * inverse[:, None]) * gain[:, None])
            moved = keep(keep(keep(bias - mean) * scale) + shift)
            return self.sum(self, values, folded, moved)
        values = self.sum(self, values, weight, bias)
        if self.norm_form == "scaled and shifted":
            offset = keep(shift - keep(mean * scale))
            return keep(keep(values * scale) + offset)
        centered = keep(values - mean)
        if self.norm_form == "gain first":
            return keep(keep(keep(centered * gain) * inverse) + shift)
        if self.norm_form == "quotient":
            return keep(keep(keep(centered / root) * gain) + shift)
        return keep(keep(keep(centered * inverse) * gain) + shift)


def certify_images(network: StoredNetwork, images: NDArray[np.uint8]) -> Certificate | Refusal:
    """Bound a network of layers on gray images."""
    return certify(network.graph, Inputs(images, BYTES_OVER_255))


def draw_evaluator(generator: np.random.Generator) -> Evaluator:
    """A random one."""
    return Evaluator(
        sum=list(SUMS.values())[generator.integers(len(SUMS))],
        norm_form=NORM_FORMS[generator.integers(len(NORM_FORMS))],
        scales_by_reciprocal=bool(generator.integers(2)),
        flushes_subnormals=bool(generator.integers(2)),
        root_units=int(generator.integers(2)),
    )
