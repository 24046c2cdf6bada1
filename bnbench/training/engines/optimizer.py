"""The optimizer of the reference engine: made from a recipe, and read from the object itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import Optimizer

from bnbench.errors import SpecError
from bnbench.own_call import call_own
from bnbench.own_code import OwnCode
from bnbench.recipes import OptimizerName, RecipeSpec
from bnbench.records import describe_optimizer


def _make_sgd(parameters: Iterable[nn.Parameter], recipe: RecipeSpec) -> Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
    )


def _make_adam(parameters: Iterable[nn.Parameter], recipe: RecipeSpec) -> Optimizer:
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(
        parameters,
        lr=recipe.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon,
        weight_decay=recipe.weight_decay,
    )


OPTIMIZERS: dict[OptimizerName, Callable[[Iterable[nn.Parameter], RecipeSpec], Optimizer]] = {
    "sgd": _make_sgd,
    "adam": _make_adam,
    "adamw": _make_adam,
}
"""Makes each optimizer by its name in a recipe."""


def make_optimizer(network: nn.Module, recipe: RecipeSpec) -> Optimizer:
    """Make the optimizer that a recipe asks for, at the highest learning rate.

    Raises:
        SpecError: an own optimizer can't be made.
    """
    optimizer = recipe.optimizer
    if not isinstance(optimizer, OwnCode):
        return OPTIMIZERS[optimizer](network.parameters(), recipe)
    made = call_own(optimizer, network.parameters(), lr=recipe.learning_rate)
    if not isinstance(made, Optimizer):
        raise SpecError(
            f"{optimizer.label}: expected a callable that returns a torch.optim.Optimizer, got "
            f"{type(made).__name__}; return the optimizer"
        )
    return made


def set_rate(optimizer: Optimizer, before: float, rate: float) -> None:
    """Change the learning rate where it still is what it was set to `before`.

    Another rate is not the schedule's, and is kept: it comes on record.
    """
    for group in optimizer.param_groups:
        if group["lr"] == before:
            group["lr"] = rate


def read_optimizer(optimizer: Optimizer) -> str:
    """Describe an optimizer as it is: its class and the settings that are on.

    Settings that are off (None, False or 0) are left out, except those that every recipe names.
    A ``step`` that is not the class's own is named as well, since it may do anything. Groups of
    parameters with other settings are described one after the other.
    """
    groups = [
        describe_optimizer(
            _name(optimizer),
            {name: value for name, value in group.items() if name != "params"},
        )
        for group in optimizer.param_groups
    ]
    return " and ".join(dict.fromkeys(groups))


def _name(optimizer: Optimizer) -> str:
    kind, step = type(optimizer), optimizer.step
    own = {f"{base.__module__}.{base.__qualname__}.step" for base in kind.__mro__}
    used = f"{getattr(step, '__module__', '')}.{getattr(step, '__qualname__', repr(step))}"
    name = f"{kind.__module__}.{kind.__qualname__}"
    return name if used in own else f"{name} with the step of {used}"
