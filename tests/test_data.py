from pathlib import Path

import pytest
import torch

from bnbench.data import Dataset, load_fashion_mnist, scale_inputs
from bnbench.data_files import read_checked
from bnbench.errors import DataError


@pytest.mark.slow
@pytest.mark.real_data
def test_the_real_data_is_what_its_authors_say(fashion_mnist: Dataset) -> None:
    assert fashion_mnist.train.inputs.shape == (60000, 28, 28)
    assert fashion_mnist.test.inputs.shape == (10000, 28, 28)
    assert fashion_mnist.train.labels.bincount().tolist() == [6000] * 10
    assert fashion_mnist.test.labels.bincount().tolist() == [1000] * 10
    pixels = fashion_mnist.train.inputs.float() / 255
    assert (round(pixels.mean().item(), 4), round(pixels.std().item(), 4)) == (0.2860, 0.3530)


@pytest.mark.real_data
def test_an_altered_real_file_is_refused(fashion_mnist: Dataset, tmp_path: Path) -> None:
    assert fashion_mnist.folder is not None
    for path in fashion_mnist.folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    images = read_checked(fashion_mnist.folder, "t10k-images-idx3-ubyte")
    images[5000] ^= 1
    altered = tmp_path / "t10k-images-idx3-ubyte"
    altered.unlink()  # or the link would have the data itself written to
    altered.write_bytes(images)
    with pytest.raises(DataError, match="complete IDX file of 10,000 images of 28 x 28"):
        load_fashion_mnist(tmp_path)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ((5, 28, 28), (1, 28, 28)),
        ((5, 3, 32, 32), (3, 32, 32)),
        ((5, 64), (64,)),
    ],
    ids=["gray images", "color images", "features"],
)
def test_a_network_is_given_channels_height_and_width_or_features(
    stored: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    scaled = scale_inputs(torch.full(stored, 51, dtype=torch.uint8))
    assert scaled.shape == (5, *expected)
    assert scaled.dtype == torch.float32
    assert torch.equal(scaled.unique(), torch.tensor([51], dtype=torch.float32) / 255)


def test_numbers_are_given_to_the_network_as_they_are() -> None:
    stored = torch.tensor([[-3.5, 1e6]])
    assert torch.equal(scale_inputs(stored), stored)


def test_a_data_set_describes_itself_for_the_record(synthetic_dataset: Dataset) -> None:
    record = synthetic_dataset.describe()
    assert (record.input_shape, record.num_classes, record.input_dtype) == (
        (1, 28, 28),
        10,
        "uint8",
    )
    assert record.sha256["test_labels"] == synthetic_dataset.test.labels_sha256
