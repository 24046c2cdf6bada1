"""Labeled images in memory, as bytes: FashionMNIST, and validation images cut from it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import torch

from bnbench.data_files import CONTENT_SHA256, read_checked
from bnbench.data_sources import locate_fashion_mnist
from bnbench.errors import SpecError
from bnbench.specs import TuningSpec

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """Images and their classes, in memory as stored: one byte per pixel and label."""

    images: torch.Tensor
    """uint8, shape (num_images, 28, 28), 0 black to 255 white."""
    labels: torch.Tensor
    """uint8, shape (num_images,), classes 0 to 9."""
    images_sha256: str
    """SHA-256 of the images' decompressed IDX file; empty if no file holds these images."""
    labels_sha256: str
    """SHA-256 of the labels' decompressed IDX file; empty if no file holds these labels."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training set and the images its models are evaluated on."""

    name: str
    """Name for records and reports."""
    train: LabeledImages
    """Images to train on."""
    test: LabeledImages
    """Images to evaluate on: the test set, or a validation split."""
    folder: Path | None
    """Folder of the files, for programs that read them themselves; None if in memory only."""
    source: str
    """Description of where the files came from."""


def load_fashion_mnist(data_dir: Path | None = None, download: bool = True) -> Dataset:
    """Load FashionMNIST from the first source that has it, and check every byte.

    Args:
        data_dir: the only folder to search; by default as `locate_fashion_mnist` says.
        download: whether to download it if no source has it.

    Raises:
        DataError: a file is altered, truncated or missing, or no source has the files.
    """
    return read_fashion_mnist(*locate_fashion_mnist(data_dir, download))


def read_fashion_mnist(folder: Path, source: str) -> Dataset:
    """Read FashionMNIST from the folder with its four files, and check every byte.

    Raises:
        DataError: a file is altered, truncated or missing.
    """
    contents = {name: read_checked(folder, name) for name in CONTENT_SHA256}

    def parse(prefix: str) -> LabeledImages:
        images, labels = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
        # The hashes were checked, so the headers of 16 and 8 bytes can be skipped.
        return LabeledImages(
            torch.frombuffer(contents[images], dtype=torch.uint8)[16:].reshape(-1, 28, 28),
            torch.frombuffer(contents[labels], dtype=torch.uint8)[8:],
            CONTENT_SHA256[images],
            CONTENT_SHA256[labels],
        )

    return Dataset("FashionMNIST", parse("train"), parse("t10k"), folder, source)


def cut_validation_split(dataset: Dataset, tuning: TuningSpec) -> Dataset:
    """Cut validation images from the training set, the same number of each class.

    Returns:
        A data set that trains on the rest and evaluates on the images cut; it holds no test image.

    Raises:
        SpecError: a class has too few images.
    """
    return _cut_split(dataset, tuning.num_validation_images // len(CLASS_NAMES), tuning.split_seed)


# The studies of a series share one split, and so the engines that hold its images.
@functools.lru_cache(maxsize=1)
def _cut_split(dataset: Dataset, per_class: int, split_seed: int) -> Dataset:
    labels = dataset.train.labels
    generator = torch.Generator().manual_seed(split_seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(len(CLASS_NAMES)):
        of_class = shuffled[labels[shuffled] == label]
        if len(of_class) <= per_class:
            raise SpecError(
                f"num_validation_images: expected fewer than {len(of_class)} images per class, "
                f"got {per_class}"
            )
        chosen[of_class[:per_class]] = True

    def select(mask: torch.Tensor) -> LabeledImages:
        return LabeledImages(dataset.train.images[mask], labels[mask], "", "")

    return Dataset(
        f"{dataset.name}, validation split", select(~chosen), select(chosen), None, dataset.source
    )
