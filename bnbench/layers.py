"""What `torch.nn` lacks for the networks: the shortcut, and the initializations by name."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from bnbench.specs import Initialization


class Shortcut(nn.Sequential):
    """Layers whose inputs are added to their outputs, cut or filled with zeros to their number.

    He et al. 2016, Deep Residual Learning for Image Recognition, section 3.3, option A.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map shape (N, num_inputs) to (N, num_outputs)."""
        outputs = inputs
        for layer in self:
            outputs = layer(outputs)
        # A negative width cuts.
        return outputs + functional.pad(inputs, (0, outputs.size(1) - inputs.size(1)))


def initialize_he(layer: nn.Linear) -> None:
    """Draw normal weights of variance 2 / inputs; biases are 0 (He et al. 2015, section 2.2)."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def initialize_orthogonal(layer: nn.Linear) -> None:
    """Draw an orthogonal matrix of gain √2, which ReLU makes up for; biases are 0.

    Saxe et al. 2014, Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Networks.
    """
    nn.init.orthogonal_(layer.weight, gain=math.sqrt(2))
    nn.init.zeros_(layer.bias)


INITIALIZERS: dict[Initialization, Callable[[nn.Linear], None] | None] = {
    "torch": None,
    "he": initialize_he,
    "orthogonal": initialize_orthogonal,
}
"""Each initialization of a linear layer by its name; None leaves torch's own."""
