"""A runtime's logits, and hypotheses: mistakes, each with a function that gives its logits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.faults import Fault, FaultName
from bnbench.models.reference import compute_logits
from bnbench.models.stored_network import Images, StoredNetwork

Values = NDArray[np.float64]
LOAD_ADVICE = "load every tensor of the file as it is"
TOLERANCE = 1e-4
"""Allowed difference of a hypothesis's logit from the observed one, as a share of the image's
largest logit, or of the median image's if that is larger. About ten times binary32's rounding."""
LARGEST_REMNANT = 0.1
"""Share of the disagreement that a hypothesis may leave unexplained."""
_NUM_SCREENED = 256


@dataclass(frozen=True)
class Hypothesis:
    """A mistake and its logits."""

    fault: Fault
    compute: Callable[[StoredNetwork, Images], Values]
    """Logits, shape (num_images, 10), of the file's network under this mistake."""
    group_size: int = 1
    """Images depend on each other in groups of this many, counted from the first image."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """A runtime's logits beside the reference's, for the same images."""

    network: StoredNetwork
    images: Images
    observed: Values
    """The runtime's logits, shape (num_images, 10); may hold NaN or infinity."""
    reference: Values
    """The network's in binary64."""

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """The unit of an image's differences: its largest logit; shape (num_images,)."""
        finite = np.nan_to_num(self.observed, nan=0.0, posinf=0.0, neginf=0.0)
        largest = np.abs(finite).max(axis=1)
        result: NDArray[np.float64] = np.maximum(largest, np.median(largest)) + 1e-30
        return result

    @cached_property
    def limit(self) -> float:
        """The largest misfit at which a hypothesis is accepted."""
        plain = self.measure_misfit(self.reference, slice(None))
        return min(TOLERANCE, LARGEST_REMNANT * plain)

    def choose_images(self, num_images: int) -> NDArray[np.int64]:
        """The most informative images: half with the largest differences, half evenly spaced.

        Ascending. Images with a logit that is not finite are left out, so the result may be empty.
        """
        usable = np.flatnonzero(np.all(np.isfinite(self.observed), axis=1))
        if len(usable) == 0:
            return usable
        difference = np.abs(self.observed - self.reference).max(axis=1) / self.scale
        worst = usable[np.argsort(-difference[usable], kind="stable")[: num_images // 2]]
        evenly = usable[np.linspace(0, len(usable) - 1, num_images // 2).astype(np.int64)]
        return np.unique(np.concatenate([worst, evenly]))

    def measure_misfit(self, supposed: Values, part: NDArray[np.int64] | slice) -> float:
        """The largest difference from what was observed, as a share of `scale`.

        Images with a logit that is not finite are left out; without any image it is infinite.
        """
        with np.errstate(invalid="ignore"):
            difference = np.abs(supposed - self.observed[part]).max(axis=1) / self.scale[part]
        comparable = difference[np.isfinite(difference)]
        return float(comparable.max()) if len(comparable) else np.inf

    def accepts(self, hypothesis: Hypothesis) -> float | None:
        """The misfit over all images, or None if it is too large; tries a few images first."""
        if hypothesis.group_size == 1:
            part = self._screened
        else:
            groups = -(-_NUM_SCREENED // hypothesis.group_size)
            part = np.arange(min(groups * hypothesis.group_size, len(self.images)))
        for tried in (part, np.arange(len(self.images))):
            supposed = hypothesis.compute(self.network, self.images[tried])
            misfit = self.measure_misfit(supposed, tried)
            if misfit > self.limit:
                return None
        return misfit

    @cached_property
    def _screened(self) -> NDArray[np.int64]:
        return self.choose_images(_NUM_SCREENED)


def suppose_tensors(
    name: FaultName, text: str, tensors: Mapping[str, NDArray[np.floating[Any]]]
) -> Hypothesis:
    """That the runtime has other values in some tensors."""
    return Hypothesis(
        Fault(name, text),
        lambda network, images: compute_logits(replace_tensors(network, tensors), images),
    )


def replace_tensors(
    network: StoredNetwork, tensors: Mapping[str, NDArray[np.floating[Any]] | float]
) -> StoredNetwork:
    """The network with other tensors or constants, by names such as ``norm1.running_mean``."""
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
