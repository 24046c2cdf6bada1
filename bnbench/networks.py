"""The network of a variant in PyTorch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bnbench.specs import (
    FASHION_MNIST_SHAPE,
    Activation,
    DataShape,
    Normalization,
    TrialSpec,
    VariantSpec,
)

if TYPE_CHECKING:
    from torch import nn

ACTIVATIONS: dict[Activation, str] = {
    "relu": "ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}
"""Class in `torch.nn` of each activation."""

NORMALIZATIONS: dict[Normalization, tuple[str, dict[str, Any]] | None] = {
    "none": None,
    "batch": ("BatchNorm1d", {}),
    "layer": ("LayerNorm", {}),
    # torch's own eps is the smallest difference of the values' type.
    "rms": ("RMSNorm", {"eps": 1e-5}),
}
"""Class in `torch.nn` of each normalization and its settings; None puts no layer in."""


def build_network(variant: VariantSpec, shape: DataShape = FASHION_MNIST_SHAPE) -> nn.Module:
    """Build a variant with fresh weights from torch's default random generator.

    Only the linear layers draw random numbers, from first to last. A seed therefore gives the
    weights of the same network written by hand.

    Args:
        variant: what is built.
        shape: the inputs and classes of the data; those of FashionMNIST unless given.

    Returns:
        A module from inputs, float32 of shape (N, *input_shape) or flattened, to logits of shape
        (N, num_classes).
    """
    # Imported here: listing variants, or a typing mistake in one, must not take a second.
    from torch import nn

    if variant.own_code is not None:
        from bnbench.own_call import build_own_network

        return build_own_network(variant.own_code)

    from bnbench.layers import INITIALIZERS, Shortcut

    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    num_inputs = shape.num_inputs
    for number, num_units in enumerate(variant.hidden_sizes, start=1):
        hidden = _make_hidden_layer(variant, number, num_inputs, num_units)
        if variant.residual and number > 1:
            layers[f"shortcut{number}"] = Shortcut(hidden)
        else:
            layers.update(hidden)
        num_inputs = num_units
    layers["output"] = nn.Linear(num_inputs, shape.num_classes)
    network = nn.Sequential(layers)
    initialize = INITIALIZERS[variant.init]
    if initialize is not None:
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                initialize(layer)
    return network


def build_first_network(trial: TrialSpec, shape: DataShape = FASHION_MNIST_SHAPE) -> nn.Module:
    """Build a trial's network, and leave torch's default generator where training goes on.

    With one seed for weights and order, that is the usual program's stream: seed, network,
    training. Else the weights are those of a trial of the one seed, and what is drawn from now on
    is what a trial of the other seed would draw. An own network keeps this order, so that trials of
    one seed share the order of images if their networks draw as many numbers.
    """
    import torch

    recipe = trial.recipe
    of_weights = trial.seed if recipe.initialization_seed is None else recipe.initialization_seed
    of_order = trial.seed if recipe.order_seed is None else recipe.order_seed
    seed_generators: Callable[[int], object] = torch.manual_seed
    if trial.variant.own_code is not None:
        from bnbench.own_call import seed_generators
    seed_generators(of_weights)
    network = build_network(trial.variant, shape)
    if of_order != of_weights:
        seed_generators(of_order)
        build_network(trial.variant, shape)  # draws what this trial's weights would be
    return network


def _make_hidden_layer(
    variant: VariantSpec, number: int, num_inputs: int, num_units: int
) -> OrderedDict[str, nn.Module]:
    """Make a hidden layer's modules, in the order in which they are applied."""
    from torch import nn

    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers[f"linear{number}"] = nn.Linear(num_inputs, num_units)
    layers[f"activation{number}"] = getattr(nn, ACTIVATIONS[variant.activation])()
    normalization = NORMALIZATIONS[variant.normalization]
    if normalization is not None:
        kind, settings = normalization
        # TorchScript takes modules of the same names and types for one, whatever their order.
        name = f"norm{number}" if variant.placement == "before" else f"postnorm{number}"
        layers[name] = getattr(nn, kind)(num_units, **settings)
        if variant.placement == "before":
            layers.move_to_end(f"activation{number}")
    if variant.dropout:
        layers[f"dropout{number}"] = nn.Dropout(variant.dropout)
    return layers
