"""The training techniques: each is one entry in `TECHNIQUES`, and so a variant of its own.

A technique differs from the baseline in one thing: a part of the network or of its recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bnbench.errors import SpecError
from bnbench.own_code import OwnCode
from bnbench.recipes import RecipeChange
from bnbench.specs import VariantSpec

Kind = Literal[
    "normalization",
    "regularization",
    "optimizer",
    "schedule",
    "loss",
    "averaging",
    "initialization",
    "architecture",
]
"""What a technique changes; a network can have one technique of each kind."""


@dataclass(frozen=True)
class Technique:
    """A technique under its name, and the kind of thing it changes."""

    title: str
    """Its name within a sentence."""
    kind: Kind
    network: dict[str, Any]
    """Fields of `VariantSpec`."""
    recipe: dict[str, Any]
    """Fields of `RecipeChange`."""


def _in_network(title: str, kind: Kind, **fields: Any) -> Technique:
    return Technique(title, kind, fields, {})


def _in_recipe(title: str, kind: Kind, **fields: Any) -> Technique:
    return Technique(title, kind, {}, fields)


TECHNIQUES: dict[str, Technique] = {
    "batchnorm": _in_network("batch normalization", "normalization", normalization="batch"),
    "batchnorm_after": _in_network(
        "batch normalization after the activation",
        "normalization",
        normalization="batch",
        placement="after",
    ),
    "layernorm": _in_network("layer normalization", "normalization", normalization="layer"),
    "rmsnorm": _in_network("RMS normalization", "normalization", normalization="rms"),
    "dropout": _in_network("dropout", "regularization", dropout=0.1),
    "momentum": _in_recipe("momentum", "optimizer", momentum=0.9),
    "nesterov": _in_recipe("Nesterov momentum", "optimizer", momentum=0.9, nesterov=True),
    "adam": _in_recipe("Adam", "optimizer", optimizer="adam"),
    "adamw": _in_recipe("AdamW", "optimizer", optimizer="adamw", weight_decay=0.01),
    "linear": _in_recipe("a linear schedule", "schedule", schedule="linear"),
    "cosine": _in_recipe("a cosine schedule", "schedule", schedule="cosine"),
    "one_cycle": _in_recipe("a one-cycle schedule", "schedule", schedule="one-cycle"),
    "label_smoothing": _in_recipe("label smoothing", "loss", label_smoothing=0.1),
    "averaging": _in_recipe("weight averaging", "averaging", weight_averaging="ema"),
    "he": _in_network("He initialization", "initialization", init="he"),
    "orthogonal": _in_network("orthogonal initialization", "initialization", init="orthogonal"),
    "residual": _in_network("shortcuts", "architecture", residual=True),
}
"""Each technique by its name as a variant."""

BASELINE = VariantSpec("baseline")
"""What every technique is compared with."""


def make_variant(name: str, *techniques: Technique) -> VariantSpec:
    """Make a variant that has all of some techniques, at most one of each kind."""
    network = {key: value for each in techniques for key, value in each.network.items()}
    recipe = {key: value for each in techniques for key, value in each.recipe.items()}
    return VariantSpec(name, **network, recipe=RecipeChange(**recipe))


VARIANTS: dict[str, VariantSpec] = {
    BASELINE.name: BASELINE,
    **{name: make_variant(name, technique) for name, technique in TECHNIQUES.items()},
}
"""The built-in variants by name."""


def find_variant(name: str) -> VariantSpec:
    """Find a variant by its name, or make one of an own network such as ``my_nets.py:SmallCNN``.

    An own network's variant has the callable's name in lower case, or the one before the sign in
    ``cnn=my_nets.py:SmallCNN``.

    Raises:
        SpecError: no variant has that name; the text lists all names.
    """
    if ":" in name:
        own_name, _, module = name.rpartition("=")
        return VariantSpec(own_name or OwnCode(module).name.lower(), module=module)
    try:
        return VARIANTS[name]
    except KeyError:
        raise SpecError(
            f"variants: expected some of {', '.join(VARIANTS)}; got {name!r}; add a new "
            "variant to a study file as a [[variants]] table, or name an own network: FILE.py:NAME"
        ) from None
