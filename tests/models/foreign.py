"""Classifiers that bnbench did not train, and data for them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

NUM_CLASSES = 47
IMAGE_SHAPE = (3, 8, 8)


class SmallCnn(nn.Module):
    """A convolution, batch normalization and a linear layer; 47 classes."""

    def __init__(self, num_classes: int = NUM_CLASSES) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(128, num_classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.net(x)
        return y


class Wrapped(nn.Module):
    """A network and what is done before and after it."""

    def __init__(self, network: nn.Module, before: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.before, self.network, self.after = before, network, after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.after(self.network(self.before(x)))
        return y


class FromBytes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.float() / 255


class Labels(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.argmax(1)


class FunctionalDropout(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.5, True)


class CenteredByBatch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0)


class Noise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand(1)


class TwoOutputs(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mean": x.mean(), "probabilities": self.network(x).softmax(1)}


@dataclass(frozen=True)
class Scene:
    """A folder with data that a small network tells apart."""

    folder: Path
    network: nn.Module
    """In evaluation mode; every prediction is right if bytes are divided by 255."""

    @property
    def inputs(self) -> str:
        """uint8, shape (96, 3, 8, 8)."""
        return str(self.folder / "x.npy")

    @property
    def targets(self) -> str:
        """int64, shape (96,)."""
        return str(self.folder / "y.npy")

    def trace(
        self, network: nn.Module, name: str = "model.pt", dtype: torch.dtype = torch.float32
    ) -> Path:
        """Save a network as TorchScript, in the mode that it is in."""
        path = self.folder / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            example = torch.zeros(2, *IMAGE_SHAPE, dtype=dtype)
            torch.jit.trace(network, example, check_trace=False).save(str(path))
        return path


def make_scene(folder: Path) -> Scene:
    """Make data of 47 classes, and a network that has learned them in a moment."""
    generator = np.random.default_rng(0)
    classes = np.arange(96) % NUM_CLASSES
    prototypes = generator.integers(0, 256, (NUM_CLASSES, *IMAGE_SHAPE))
    noisy = prototypes[classes] + generator.normal(0, 10, (96, *IMAGE_SHAPE))
    images = np.clip(noisy, 0, 255).astype(np.uint8)
    np.save(folder / "x.npy", images)
    np.save(folder / "y.npy", classes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = SmallCnn()
        optimizer = torch.optim.Adam(network.parameters(), 0.02)
        pixels, targets = torch.tensor(images).float() / 255, torch.tensor(classes)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(pixels), targets).backward()
            optimizer.step()
    return Scene(folder, network.eval())
