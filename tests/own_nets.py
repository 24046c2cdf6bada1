"""Own networks and optimizers that tests write into a file, and the variants they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bnbench.own_code import Arguments, OwnCode
from bnbench.own_source import identify
from bnbench.specs import VariantSpec

NETWORKS = '''
import torch
from torch import nn
from torch.nn import functional


class Same(nn.Sequential):
    """The network of conftest's BASELINE, written by hand."""

    def __init__(self, units=8):
        super().__init__(
            nn.Flatten(), nn.Linear(784, units), nn.ReLU(), nn.Linear(units, 6), nn.ReLU(),
            nn.Linear(6, 10),
        )


class SmallCNN(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, stride=2)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout2d(0.1)
        self.output = nn.Linear(width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.drop(self.act(self.norm(self.conv(images))))
        return self.output(found.mean(dim=(2, 3)))


class Traced(SmallCNN):
    def forward(self, images, *unused):
        return self.output(functional.gelu(self.conv(images)).mean(dim=(2, 3)))
'''

OPTIMIZERS = """
import torch
from torch.optim import Optimizer


class Lion(Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": tuple(betas)})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            first, second = group["betas"]
            for weight in group["params"]:
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                weight.add_(torch.sign(mean.lerp(weight.grad, 1 - first)), alpha=-group["lr"])
                mean.lerp_(weight.grad, 1 - second)


def make_sgd(params, lr):
    return torch.optim.SGD(params, lr=lr)
"""


def make_own_code(folder: Path, name: str, text: str, **args: Any) -> OwnCode:
    """Write a file of own code and identify a callable in it."""
    path = folder / "own.py"
    path.write_text(text)
    return identify(OwnCode(f"{path}:{name}", Arguments(args)), folder)


def make_own_variant(
    folder: Path, name: str, text: str = NETWORKS, variant: str = "own", **args: Any
) -> VariantSpec:
    """Write a file of own networks and make a variant of one of them."""
    code = make_own_code(folder, name, text, **args)
    plain = VariantSpec(variant, module=code.module, args=code.args)
    return replace(plain, source_sha256=code.source_sha256)
