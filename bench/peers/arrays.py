"""FashionMNIST as most libraries take it: NumPy arrays with pixels in [0, 1]."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bnbench.data import LabeledImages, load_fashion_mnist


@dataclass(frozen=True)
class FloatImages:
    """Images as numbers, with their classes."""

    pixels: npt.NDArray[np.float32]
    """Shape (num_images, 784), in [0, 1]."""
    labels: npt.NDArray[np.int32]
    """Shape (num_images,), classes 0 to 9."""


@dataclass(frozen=True)
class FloatDataset:
    """The training images and those the accuracy is measured on."""

    train: FloatImages
    test: FloatImages


def read_float_dataset(data_dir: Path) -> FloatDataset:
    """Load the images from `data_dir`, every byte checked, and turn them into float32."""
    dataset = load_fashion_mnist(data_dir, download=False)

    def convert(part: LabeledImages) -> FloatImages:
        pixels = part.images.numpy().reshape(len(part), -1).astype(np.float32)
        return FloatImages(pixels / np.float32(255), part.labels.numpy().astype(np.int32))

    return FloatDataset(convert(dataset.train), convert(dataset.test))


@functools.cache
def share_float_dataset(data_dir: Path) -> FloatDataset:
    """The images of `data_dir`, held once in a process, whichever variants are trained in it."""
    return read_float_dataset(data_dir)
