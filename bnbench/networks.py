"""The networks under comparison. A further variant is one more entry in `VARIANTS`."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from bnbench.errors import SpecError
from bnbench.specs import VariantSpec

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


def find_variant(name: str) -> VariantSpec:
    """Look a variant up by its name.

    Raises:
        SpecError: there is none of that name; the text lists those there are.
    """
    try:
        return VARIANTS[name]
    except KeyError:
        raise SpecError(
            f"variants: expected some of {', '.join(VARIANTS)}; got {name!r}. A new variant is "
            "an entry in bnbench/networks.py or a [[variants]] table in a study file"
        ) from None


def build_network(variant: VariantSpec) -> nn.Sequential:
    """Build a variant with fresh weights from torch's default random generator.

    The linear layers are made first to last and nothing else draws random numbers, so that the
    weights of a seed are those of the same network written out by hand.

    Returns:
        A module from images, float32 of shape (N, 1, 28, 28) or (N, 784) with pixels in [0, 1],
        to logits of shape (N, 10).
    """
    # Imported here so that a list of variants, or a typing mistake in one, costs no second.
    from torch import nn

    normalizations = {"none": None, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
    activations = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    num_inputs = NUM_PIXELS
    for number, num_units in enumerate(variant.hidden_sizes, start=1):
        layers[f"linear{number}"] = nn.Linear(num_inputs, num_units)
        normalization = normalizations[variant.normalization]
        if normalization is not None:
            layers[f"norm{number}"] = normalization(num_units)
        layers[f"activation{number}"] = activations[variant.activation]()
        num_inputs = num_units
    layers["output"] = nn.Linear(num_inputs, NUM_CLASSES)
    return nn.Sequential(layers)
