"""The same data and the same first weights for every peer, as NumPy arrays."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bnbench.data import load_fashion_mnist
from bnbench.networks import build_network
from bnbench.specs import VariantSpec

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]


@functools.cache
def load_arrays(data_dir: Path) -> tuple[Floats, Integers, Floats, Integers]:
    """Load training pixels and labels, then test pixels and labels.

    Pixels lie in [0, 1] and have the shape (num_images, 784).
    """
    dataset = load_fashion_mnist(data_dir, download=False)
    train, test = dataset.train, dataset.test
    train_pixels, test_pixels = (
        part.inputs.numpy().reshape(len(part), -1).astype(np.float32) / np.float32(255)
        for part in (train, test)
    )
    train_labels, test_labels = (part.labels.numpy().astype(np.int32) for part in (train, test))
    return train_pixels, train_labels, test_pixels, test_labels


def draw_layers(variant: VariantSpec, seed: int) -> list[tuple[Floats, Floats]]:
    """Draw a trial's first weights as torch does.

    Returns:
        Weights of shape (num_inputs, num_units) and biases of each linear layer.
    """
    torch.manual_seed(seed)
    return [
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy())
        for layer in build_network(variant)
        if isinstance(layer, nn.Linear)
    ]
