"""A hypothesis: a mistake of a runtime, with a function that gives the logits it leads to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.faults import Fault, FaultName
from bnbench.models.reference import compute_logits
from bnbench.models.stored_network import StoredNetwork

Images = NDArray[np.uint8]
"""Shape (num_images, 28, 28)."""
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Hypothesis:
    """A mistake and its logits."""

    fault: Fault
    compute: Callable[[StoredNetwork, Images], Values]
    """Logits, shape (num_images, 10), of the file's network under this mistake."""
    group_size: int = 1
    """Images depend on each other in groups of this many, counted from the first image."""


def suppose_tensors(
    name: FaultName, text: str, tensors: Mapping[str, NDArray[np.float32]]
) -> Hypothesis:
    """That the runtime has other values in some tensors."""

    def compute(network: StoredNetwork, images: Images) -> Values:
        return compute_logits(replace_tensors(network, tensors), images)

    return Hypothesis(Fault(name, text), compute)


def replace_tensors(
    network: StoredNetwork, tensors: Mapping[str, NDArray[np.float32]]
) -> StoredNetwork:
    """The network with other tensors, by names such as ``norm1.running_mean``."""
    layers = []
    for layer in network.layers:
        own: dict[str, Any] = {
            key: tensors[f"{layer.name}.{key}"]
            for key in vars(layer)
            if f"{layer.name}.{key}" in tensors
        }
        layers.append(dataclasses.replace(layer, **own))
    return dataclasses.replace(network, layers=tuple(layers))


def list_parameters(network: StoredNetwork) -> dict[str, NDArray[np.float32]]:
    """The tensors that logits depend on, by name, first layer to last."""
    return {
        f"{layer.name}.{key}": value
        for layer in network.layers
        for key, value in vars(layer).items()
        if isinstance(value, np.ndarray)
    }
