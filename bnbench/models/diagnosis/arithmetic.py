"""Arithmetic with fewer bits than binary32: TF32 and bfloat16, told by the logits they give.

Such a runtime rounds to nearest or cuts off, in matrix products alone or everywhere. Rounding is
discontinuous: a value near the middle of two neighbors goes to either, as the runtime's order of
summation has it. So not every image is explained, as other mistakes must explain them, but the
typical one is.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.faults import Fault, FaultName
from bnbench.models.diagnosis.hypothesis import Evidence, Values, list_parameters, replace_tensors
from bnbench.models.reference import apply_layer, scale_pixels
from bnbench.models.stored_network import BatchNormLayer, Images, Layer, LinearLayer, StoredNetwork

LARGEST_REMNANT = 0.05
"""Share of the median image's disagreement that an arithmetic may leave unexplained. Cutting off
makes all values smaller, and so does a larger eps, so a fifth can be left by mistake."""
_NUM_IMAGES = 1000
_BINARY32_BITS = 23

Extent = Literal["operands", "outputs", "everything"]
_EXTENTS: dict[Extent, str] = {
    "operands": "the operands of matrix products",
    "outputs": "linear layers and all outputs",
    "everything": "all tensors and all outputs",
}


@dataclass(frozen=True)
class _Format:
    name: str
    fault: FaultName
    num_bits: int
    """Stored bits of the significand; binary32 has 23."""
    extents: tuple[Extent, ...]
    advice: str


_FORMATS = (
    _Format(
        "TF32",
        "computed_in_tf32",
        10,
        ("operands",),
        "forbid it, as by torch.backends.cuda.matmul.allow_tf32 = False",
    ),
    _Format(
        "bfloat16",
        "computed_in_bfloat16",
        7,
        ("operands", "outputs", "everything"),
        "evaluate in float32: no autocast, and torch.set_float32_matmul_precision('highest')",
    ),
)


@dataclass(frozen=True)
class Arithmetic:
    """One way to compute with fewer bits."""

    num_bits: int
    extent: Extent
    cuts_off: bool
    """Whether lower bits are dropped; otherwise values are rounded to nearest, ties to even."""
    folds: bool
    """Whether batch normalization is folded into the weights first."""
    layers: tuple[str, ...]
    """The linear layers whose products are affected."""

    def round(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Values of `num_bits` bits, by way of binary32."""
        dropped = _BINARY32_BITS - self.num_bits
        bits = values.astype(np.float32).view(np.uint32)
        if not self.cuts_off:
            half_less_one = np.uint32(2 ** (dropped - 1) - 1)
            bits = bits + half_less_one + ((bits >> np.uint32(dropped)) & np.uint32(1))
        kept = bits & np.uint32(2**32 - 2**dropped)
        return kept.view(np.float32)

    def compute_logits(self, network: StoredNetwork, images: Images) -> Values:
        """The logits that it gives, sums aside in binary64; shape (num_images, 10)."""
        network = _fold(network) if self.folds else network
        if self.extent == "everything":
            tensors = list_parameters(network)
            network = replace_tensors(network, {n: self.round(v) for n, v in tensors.items()})
        values = scale_pixels(images)
        for layer in network.layers:
            if isinstance(layer, LinearLayer) and layer.name in self.layers:
                values = self.round(values).astype(np.float64)
                layer = dataclasses.replace(layer, weight=self.round(layer.weight))
                if self.extent == "outputs":
                    layer = dataclasses.replace(layer, bias=self.round(layer.bias))
            values = apply_layer(layer, values)
            if self.extent != "operands":
                values = self.round(values).astype(np.float64)
        return values


def name_arithmetic(evidence: Evidence) -> Fault | None:
    """The arithmetic that gives the typical image's logits, or None."""
    part = evidence.choose_images(_NUM_IMAGES)
    if len(part) == 0:
        return None
    plain = _measure(evidence, evidence.reference[part], part)
    found = []
    for kind, arithmetic in _list_arithmetics(evidence.network):
        supposed = arithmetic.compute_logits(evidence.network, evidence.images[part])
        misfit = _measure(evidence, supposed, part)
        if misfit <= LARGEST_REMNANT * plain:
            found.append((misfit, kind, arithmetic))
    if not found:
        return None
    _, kind, arithmetic = min(found, key=lambda each: each[0])
    how = "cut off" if arithmetic.cuts_off else "rounded"
    where = f"{_EXTENTS[arithmetic.extent]} are {how} to {kind.num_bits} bits"
    num_linear = len(_list_linear(evidence.network))
    if len(arithmetic.layers) < num_linear:
        where += f" in {' and '.join(arithmetic.layers)}"
    return Fault(kind.fault, f"computed in {kind.name}: {where}; {kind.advice}")


def _list_arithmetics(network: StoredNetwork) -> Iterator[tuple[_Format, Arithmetic]]:
    has_norm = any(isinstance(layer, BatchNormLayer) for layer in network.layers)
    # Libraries choose by size whether a product is worth a matrix unit.
    names = [layer.name for layer in _list_linear(network)]
    choices = itertools.product((False, True), (False, True) if has_norm else (False,))
    for (cuts_off, folds), kind in itertools.product(list(choices), _FORMATS):
        for extent in kind.extents:
            for num_layers in range(1 if extent == "operands" else len(names), len(names) + 1):
                layers = tuple(names[:num_layers])
                yield kind, Arithmetic(kind.num_bits, extent, cuts_off, folds, layers)


def _list_linear(network: StoredNetwork) -> list[LinearLayer]:
    """The linear layers, the largest weight first."""
    linear = [layer for layer in network.layers if isinstance(layer, LinearLayer)]
    return sorted(linear, key=lambda layer: -layer.weight.size)


def _measure(evidence: Evidence, supposed: Values, part: NDArray[np.int64]) -> float:
    """The median image's largest difference, as a share of its scale."""
    difference = np.abs(supposed - evidence.observed[part]).max(axis=1) / evidence.scale[part]
    return float(np.median(difference))


def _fold(network: StoredNetwork) -> StoredNetwork:
    """The same function with each batch normalization in the linear layer before it."""
    layers: list[Layer] = []
    for layer in network.layers:
        before = layers[-1] if layers else None
        if isinstance(layer, BatchNormLayer) and isinstance(before, LinearLayer):
            layers[-1] = dataclasses.replace(
                before,
                weight=(before.weight * layer.scale[:, None]).astype(np.float32),
                bias=((before.bias - layer.running_mean) * layer.scale + layer.bias).astype(
                    np.float32
                ),
            )
        else:
            layers.append(layer)
    return dataclasses.replace(network, layers=tuple(layers))
