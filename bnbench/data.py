"""Data sets in memory: what they hold, what a network is given of it, and FashionMNIST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bnbench.data_files import CONTENT_SHA256, read_checked
from bnbench.data_sources import locate_fashion_mnist
from bnbench.records import DataRecord
from bnbench.specs import FASHION_MNIST_SHAPE, DataShape

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
"""FashionMNIST's classes."""


@dataclass(frozen=True, eq=False)
class LabeledInputs:
    """Inputs and their classes, in memory as stored."""

    inputs: torch.Tensor
    """Shape (n, *input_shape), or (n, height, width) for gray images. uint8 stands for 255 steps
    from 0 to 1; float32 is taken as it is."""
    labels: torch.Tensor
    """uint8 or int64, shape (n,), classes from 0."""
    inputs_sha256: str
    """SHA-256 of the inputs as a decompressed IDX file; empty for a part of a data set."""
    labels_sha256: str
    """SHA-256 of the labels as a decompressed IDX file; empty for a part of a data set."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training set and the inputs its models are evaluated on."""

    name: str
    """Name for records and reports."""
    train: LabeledInputs
    """What is trained on."""
    test: LabeledInputs
    """What is evaluated on: the test set, or a validation split."""
    folder: Path | None
    """Folder of the files, for programs that read them themselves; None if in memory only."""
    source: str
    """Description of where the data came from."""
    shape: DataShape = FASHION_MNIST_SHAPE
    """Shape of an input of a network, and number of classes."""
    class_names: tuple[str, ...] | None = None
    """Name of each class; None if they have no names."""
    source_sha256: str | None = None
    """SHA-256 of the code that made the data; None if none did."""

    def describe(self) -> DataRecord:
        """Describe the data set for the record of a run."""
        return DataRecord(
            self.name,
            len(self.train),
            len(self.test),
            input_shape=self.shape.input_shape,
            input_dtype=str(self.train.inputs.dtype).removeprefix("torch."),
            num_classes=self.shape.num_classes,
            class_names=self.class_names,
            source_sha256=self.source_sha256,
            sha256={
                "train_inputs": self.train.inputs_sha256,
                "train_labels": self.train.labels_sha256,
                "test_inputs": self.test.inputs_sha256,
                "test_labels": self.test.labels_sha256,
            },
        )


def find_input_shape(stored_shape: Sequence[int]) -> tuple[int, ...]:
    """Find the shape of one input of a network from that of the stored array.

    An array of shape (n, height, width) holds gray images, each with one channel.
    """
    _, *sizes = stored_shape
    return (1, *sizes) if len(sizes) == 2 else tuple(sizes)


def scale_inputs(stored: torch.Tensor) -> torch.Tensor:
    """Turn stored inputs into what a network is given.

    Args:
        stored: uint8 or float32, as in `LabeledInputs`.

    Returns:
        float32, shape (n, *input_shape): bytes are divided by 255, floats stay as they are.
    """
    shaped = stored.reshape(len(stored), *find_input_shape(stored.shape))
    if stored.dtype != torch.uint8:
        return shaped
    # Division in float32 is what torchvision's ToTensor does; a product with 1/255 is not.
    return shaped.to(torch.float32).div_(255)


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

    def parse(prefix: str) -> LabeledInputs:
        images, labels = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
        # The hashes were checked, so the headers of 16 and 8 bytes can be skipped.
        return LabeledInputs(
            torch.frombuffer(contents[images], dtype=torch.uint8)[16:].reshape(-1, 28, 28),
            torch.frombuffer(contents[labels], dtype=torch.uint8)[8:],
            CONTENT_SHA256[images],
            CONTENT_SHA256[labels],
        )

    return Dataset(
        "FashionMNIST", parse("train"), parse("t10k"), folder, source, class_names=CLASS_NAMES
    )
