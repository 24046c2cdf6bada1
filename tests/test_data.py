import gzip
import hashlib
from pathlib import Path

import pytest
import torch

from bnbench import data
from bnbench.data import (
    Dataset,
    cut_validation_split,
    load_fashion_mnist,
    locate_fashion_mnist,
    read_checked,
)
from bnbench.errors import DataError, SpecError
from bnbench.specs import TuningSpec

CONTENTS = {name: f"what {name} holds".encode() * 50 for name in data.CONTENT_SHA256}


@pytest.fixture(autouse=True)
def elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Tests other than those on the real data know only the files they make."""
    if "real_data" in request.keywords:
        return
    monkeypatch.setattr(
        data,
        "CONTENT_SHA256",
        {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()},
    )
    monkeypatch.setattr(data, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("BNBENCH_DATA", raising=False)
    monkeypatch.setattr(data, "_fetch_by_torchvision", refuse)
    monkeypatch.setattr(data, "_fetch_debian_package", refuse)


def refuse(scratch: Path) -> Path:
    raise OSError(101, "no network in tests")


def write_files(folder: Path, compressed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "gzip"])
@pytest.mark.parametrize("layout", [".", "FashionMNIST/raw"])
def test_a_data_folder_may_be_flat_or_torchvisions_raw_or_compressed(
    tmp_path: Path, compressed: bool, layout: str
) -> None:
    folder = write_files(tmp_path / "mine" / layout, compressed)
    found, source = locate_fashion_mnist(tmp_path / "mine")
    assert found == folder
    assert "data folder" in source
    for name, content in CONTENTS.items():
        assert read_checked(found, name) == content


def test_the_environment_variable_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / "mine")
    monkeypatch.setenv("BNBENCH_DATA", str(tmp_path / "mine"))
    assert locate_fashion_mnist()[0] == tmp_path / "mine"


def test_debians_package_comes_before_a_download(tmp_path: Path) -> None:
    write_files(tmp_path / "debian", compressed=True)
    write_files(tmp_path / "cache" / "bnbench")
    assert locate_fashion_mnist(tmp_path / "empty") == (
        tmp_path / "debian",
        "Debian's package dataset-fashion-mnist",
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"W" + path.read_bytes()[1:]),
    ],
    ids=["truncated", "longer", "empty", "altered"],
)
def test_a_damaged_file_is_named(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    folder = write_files(tmp_path / "mine")
    spoil(folder / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: expected content with SHA-256"):
        read_checked(folder, "train-images-idx3-ubyte")


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b\x08", b"not gzip"], ids=["empty", "header only", "no gzip"]
)
def test_a_compressed_file_that_cannot_be_unpacked_is_named(tmp_path: Path, content: bytes) -> None:
    folder = write_files(tmp_path / "mine", compressed=True)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz: expected"):
        read_checked(folder, "t10k-labels-idx1-ubyte")


def test_a_missing_file_is_named_and_nothing_else_takes_its_place(tmp_path: Path) -> None:
    write_files(tmp_path / "debian")
    folder = write_files(tmp_path / "mine")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="got no t10k-labels-idx1-ubyte"):
        locate_fashion_mnist(folder)


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="expected a folder for the data, got a file"):
        locate_fashion_mnist(tmp_path / "file")


def test_without_any_source_the_error_says_what_was_tried(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"torchvision's download: .*Debian's package"):
        locate_fashion_mnist(tmp_path / "mine")
    assert not any((tmp_path / "mine").iterdir())
    with pytest.raises(DataError, match="run 'bnbench data' to fetch it"):
        locate_fashion_mnist(tmp_path / "other", download=False)


def test_a_download_is_checked_and_kept_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        data,
        "_fetch_debian_package",
        lambda scratch: write_files(scratch / "unpacked", compressed=True),
    )
    found, source = locate_fashion_mnist(tmp_path / "mine")
    assert "fetched without root" in source
    assert found == tmp_path / "mine" / "FashionMNIST" / "raw"
    assert {path.name: path.read_bytes() for path in found.iterdir()} == CONTENTS
    monkeypatch.setattr(data, "_fetch_debian_package", refuse)
    assert locate_fashion_mnist(tmp_path / "mine")[0] == found


def test_a_damaged_download_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch_truncated(scratch: Path) -> Path:
        folder = write_files(scratch / "unpacked")
        (folder / "t10k-images-idx3-ubyte").write_bytes(b"short")
        return folder

    monkeypatch.setattr(data, "_fetch_by_torchvision", fetch_truncated)
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: expected content"):
        locate_fashion_mnist(tmp_path / "mine")
    assert not list((tmp_path / "mine").rglob("*"))


@pytest.mark.slow
@pytest.mark.real_data
def test_the_real_data_is_what_its_authors_say(fashion_mnist: Dataset) -> None:
    assert fashion_mnist.train.images.shape == (60000, 28, 28)
    assert fashion_mnist.test.images.shape == (10000, 28, 28)
    assert fashion_mnist.train.labels.bincount().tolist() == [6000] * 10
    assert fashion_mnist.test.labels.bincount().tolist() == [1000] * 10
    pixels = fashion_mnist.train.images.float() / 255
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
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: expected content with SHA-256"):
        load_fashion_mnist(tmp_path)


def test_a_validation_split_has_as_many_images_of_each_class(synthetic_dataset: Dataset) -> None:
    split = cut_validation_split(synthetic_dataset, TuningSpec((0.1,), (0,), 50))
    assert split.test.labels.bincount().tolist() == [5] * 10
    assert len(split.train) == len(synthetic_dataset.train) - 50


def test_the_split_is_the_same_for_a_seed_and_another_for_another(
    synthetic_dataset: Dataset,
) -> None:
    first, again, other = (
        cut_validation_split(synthetic_dataset, TuningSpec((0.1,), (0,), 50, split_seed))
        for split_seed in (1, 1, 2)
    )
    assert torch.equal(first.test.images, again.test.images)
    assert not torch.equal(first.test.images, other.test.images)


def test_a_split_that_leaves_a_class_without_images_is_refused(
    synthetic_dataset: Dataset,
) -> None:
    with pytest.raises(SpecError, match="num_validation_images: expected fewer than"):
        cut_validation_split(synthetic_dataset, TuningSpec((0.1,), (0,), 500))
