"""The networks under comparison: a variant is one entry in `VARIANTS`."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from bnbench.errors import SpecError
from bnbench.specs import Activation, Normalization, VariantSpec

if TYPE_CHECKING:
    from torch import nn

NUM_PIXELS = 28 * 28
NUM_CLASSES = 10

VARIANTS: dict[str, VariantSpec] = {
    spec.name: spec
    for spec in (
        VariantSpec("baseline"),
        VariantSpec("batchnorm", normalization="batch"),
        VariantSpec("layernorm", normalization="layer"),
    )
}

ACTIVATIONS: dict[Activation, str] = {"relu": "ReLU", "sigmoid": "Sigmoid", "tanh": "Tanh"}
"""Class in `torch.nn` of each activation."""

NORMALIZATIONS: dict[Normalization, str | None] = {
    "none": None,
    "batch": "BatchNorm1d",
    "layer": "LayerNorm",
}
"""Class in `torch.nn` of each normalization; None puts no layer in."""


def find_variant(name: str) -> VariantSpec:
    """Find a variant by its name.

    Raises:
        SpecError: no variant has that name; the text lists all names.
    """
    try:
        return VARIANTS[name]
    except KeyError:
        raise SpecError(
            f"variants: expected some of {', '.join(VARIANTS)}; got {name!r}; add a new "
            "variant to bnbench/networks.py or to a study file as a [[variants]] table"
        ) from None


def build_network(variant: VariantSpec) -> nn.Sequential:
    """Build a variant with fresh weights from torch's default random generator.

    Only the linear layers draw random numbers, from first to last. A seed therefore gives the
    weights of the same network written by hand.

    Returns:
        A module from images, float32 of shape (N, 1, 28, 28) or (N, 784) with pixels in [0, 1],
        to logits of shape (N, 10).
    """
    # Imported here: listing variants, or a typing mistake in one, must not take a second.
    from torch import nn

    normalization = NORMALIZATIONS[variant.normalization]
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    num_inputs = NUM_PIXELS
    for number, num_units in enumerate(variant.hidden_sizes, start=1):
        layers[f"linear{number}"] = nn.Linear(num_inputs, num_units)
        if normalization is not None:
            layers[f"norm{number}"] = getattr(nn, normalization)(num_units)
        layers[f"activation{number}"] = getattr(nn, ACTIVATIONS[variant.activation])()
        num_inputs = num_units
    layers["output"] = nn.Linear(num_inputs, NUM_CLASSES)
    return nn.Sequential(layers)
