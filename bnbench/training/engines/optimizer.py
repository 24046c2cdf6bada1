"""What trained a network, read from the optimizer object that was used."""

from __future__ import annotations

import torch

from bnbench.records import describe_optimizer


def read_optimizer(optimizer: torch.optim.Optimizer) -> str:
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


def _name(optimizer: torch.optim.Optimizer) -> str:
    kind, step = type(optimizer), optimizer.step
    own = {f"{base.__module__}.{base.__qualname__}.step" for base in kind.__mro__}
    used = f"{getattr(step, '__module__', '')}.{getattr(step, '__qualname__', repr(step))}"
    name = f"{kind.__module__}.{kind.__qualname__}"
    return name if used in own else f"{name} with the step of {used}"
