"""Readers of data; the download itself is a fake here, since tests use no network."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnbench.data_arrays import Arrays
from bnbench.data_names import DATA_SETS, NamedData
from bnbench.data_readers import fetch_by_torchvision, load_data, load_named
from bnbench.data_sources import Sources
from bnbench.errors import BnbenchError, DataError, SpecError
from bnbench.specs import DataShape

X, Y = np.arange(24, dtype=np.uint8).reshape(6, 2, 2), np.array([0, 1, 2, 0, 1, 2])
FOUR: dict[str, Any] = {"x_train": X, "y_train": Y, "x_test": X[:2], "y_test": Y[:2]}


def save(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_an_npz_file_is_read_with_its_class_names(tmp_path: Path) -> None:
    data = load_data(save(tmp_path / "a.npz", **FOUR, class_names=["a", "b", "c"], other=[1]))
    assert (data.name, data.shape) == ("a.npz", DataShape((1, 2, 2), 3))
    assert (data.class_names, data.folder) == (("a", "b", "c"), None)


def test_an_npz_file_without_an_array_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x_train=X, y=Y)
    text = "got no y_train and no x_test and no y_test among x_train, y; add what is missing"
    with pytest.raises(DataError, match=text):
        load_data(path)


def test_a_pickle_in_an_npz_file_is_refused_and_not_run(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", **{**FOUR, "y_train": np.array([Bomb()] * 6)})
    with pytest.raises(DataError, match="expected an .npz file of plain arrays, got one that"):
        load_data(path)


class Bomb:
    def __reduce__(self) -> Any:
        return pytest.fail, ("a pickle was run",)


def make_npy() -> bytes:
    file = io.BytesIO()
    np.save(file, X)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no zip", b"PK\x03\x04 cut", make_npy()],
    ids=["empty", "text", "cut", "one array"],
)
def test_what_is_no_npz_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a.npz: expected an .npz file of plain arrays, got one"):
        load_data(str(tmp_path / "a.npz"))


def encode_idx(array: np.ndarray[Any, Any]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return b"\x00\x00\x08" + bytes([array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def write_idx(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, array in zip(
        ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"),
        FOUR.values(),
        strict=True,
    ):
        (folder / f"{name}-ubyte").write_bytes(encode_idx(array))


@pytest.mark.parametrize("below", [".", "raw", "SomeSet/raw"])
def test_idx_files_of_any_size_are_read_there_or_as_torchvision_puts_them(
    below: str, tmp_path: Path
) -> None:
    write_idx(tmp_path / "mine" / below)
    data = load_data(str(tmp_path / "mine"))
    assert (data.name, data.shape) == ("mine", DataShape((1, 2, 2), 3))
    assert data.folder == tmp_path / "mine" / below
    np.testing.assert_array_equal(data.test.inputs.numpy(), X[:2])


def test_an_idx_file_may_be_compressed(tmp_path: Path) -> None:
    write_idx(tmp_path / "mine")
    path = tmp_path / "mine" / "train-images-idx3-ubyte"
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert load_data(str(tmp_path / "mine")).shape == DataShape((1, 2, 2), 3)


def test_a_folder_without_idx_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected one folder with the files .*, got none"):
        load_data(str(tmp_path))


def test_a_folder_of_two_data_sets_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "A" / "raw")
    write_idx(tmp_path / "B" / "raw")
    with pytest.raises(DataError, match=r"got .*A/raw and .*B/raw; name that folder"):
        load_data(str(tmp_path))


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: b"\x01" + c[1:]], ids=["cut", "kind"]
)
def test_a_damaged_idx_file_is_refused(change: Any, tmp_path: Path) -> None:
    write_idx(tmp_path / "mine")
    path = tmp_path / "mine" / "t10k-labels-idx1-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte: expected a complete IDX file"):
        load_data(str(tmp_path / "mine"))


OWN = """
import numpy as np
X = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
Y = np.array([0, 1, 2, 0, 1, 2])
def as_tuple():
    print("loading")
    return X, Y, X[:2], Y[:2]
def with_names():
    return X, Y, X[:2], Y[:2], ["a", "b", "c"]
def as_dict():
    return dict(x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2])
def as_lists():
    return dict(x_train=X / 2, y_train=Y.tolist(), x_test=(X / 2)[:2].tolist(), y_test=[0, 1])
def nothing(): pass
def three(): return X, Y, X
def incomplete(): return dict(x_train=X)
def fails(): raise KeyError("no such column")
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


@pytest.mark.parametrize("name", ["as_tuple", "with_names", "as_dict", "as_lists"])
def test_a_function_of_ones_own_gives_the_arrays(
    name: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_data(f"{own}:{name}")
    assert (data.name, data.shape) == (f"own.py:{name}", DataShape((1, 2, 2), 3))
    assert data.class_names == (("a", "b", "c") if name == "with_names" else None)
    assert data.source_sha256 is not None
    assert data.describe().source_sha256 == data.source_sha256
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nothing", "own.py:nothing: expected a dictionary of x_train, .*, got NoneType"),
        ("three", "own.py:three: expected a dictionary of x_train, .* as a tuple, got tuple"),
        ("incomplete", "got no y_train and no x_test and no y_test among x_train"),
        ("fails", "no such column"),
        ("absent", "expected the name of a class or function in the file"),
    ],
)
def test_a_function_that_gives_no_arrays_is_refused_in_one_line(
    name: str, text: str, own: Path
) -> None:
    with pytest.raises(BnbenchError, match=text) as caught:
        load_data(f"{own}:{name}")
    assert "\n" not in str(caught.value)


def test_data_that_are_gone_are_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="got no file or folder .*gone.npz; correct the name"):
        load_data(str(tmp_path / "gone.npz"))


def test_the_folder_of_fashion_mnist_is_refused_for_other_data(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="data-dir: expected none, .* the data are MNIST"):
        load_data("mnist", tmp_path)


def test_a_named_data_set_is_fetched_into_the_folder_of_downloads(tmp_path: Path) -> None:
    asked = []

    def fetch(named: NamedData, folder: Path) -> Arrays:
        asked.append((named, folder, folder.is_dir()))
        return Arrays(X, Y, X[:2], Y[:2], ("a", "b", "c"))

    sources = Sources(environment={"XDG_CACHE_HOME": str(tmp_path)})
    data = load_named(DATA_SETS["emnist-balanced"], fetch, sources)
    assert asked == [(NamedData("EMNIST", {"split": "balanced"}), tmp_path / "bnbench", True)]
    assert (data.name, data.class_names) == ("EMNIST", ("a", "b", "c"))


def test_a_download_that_fails_is_one_line(tmp_path: Path) -> None:
    def fetch(named: NamedData, folder: Path) -> Arrays:
        raise RuntimeError("Error downloading train-images:\nand more")

    sources = Sources(environment={"HOME": str(tmp_path)})
    text = "MNIST: expected torchvision to read it in .* got: Error downloading train-images; "
    with pytest.raises(DataError, match=text) as caught:
        load_named(DATA_SETS["mnist"], fetch, sources)
    assert "\n" not in str(caught.value)


def test_without_a_home_there_is_nowhere_to_download_to() -> None:
    with pytest.raises(DataError, match="HOME: expected a home folder to download CIFAR10 to"):
        load_named(DATA_SETS["cifar10"], sources=Sources(environment={}))


@pytest.mark.parametrize(
    ("name", "folder", "prefix", "num_classes"),
    [
        ("mnist", "MNIST", "", 10),
        ("kmnist", "KMNIST", "", 10),
        ("emnist-balanced", "EMNIST", "emnist-balanced-", 47),
    ],
)
def test_torchvision_reads_a_data_set_that_was_downloaded_before(
    name: str, folder: str, prefix: str, num_classes: int, tmp_path: Path
) -> None:
    raw = tmp_path / folder / "raw"
    raw.mkdir(parents=True)
    labels = np.arange(2 * num_classes) % num_classes
    images = np.arange(len(labels) * 4).astype(np.uint8).reshape(-1, 2, 2)
    test = "test" if prefix else "t10k"
    for part in ("train", test):
        (raw / f"{prefix}{part}-images-idx3-ubyte").write_bytes(encode_idx(images))
        (raw / f"{prefix}{part}-labels-idx1-ubyte").write_bytes(encode_idx(labels))
    arrays = fetch_by_torchvision(DATA_SETS[name], tmp_path)
    np.testing.assert_array_equal(arrays.x_train, images)
    np.testing.assert_array_equal(arrays.y_test, labels)
    assert arrays.class_names is not None
    assert len(arrays.class_names) == num_classes


def test_the_channels_of_color_images_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FakeCifar:
        classes = ("plane", "car")

        def __init__(self, root: str, train: bool, download: bool) -> None:
            assert (root, download) == (str(tmp_path), True)
            count = 4 if train else 2
            self.data = np.arange(count * 2 * 5 * 3, dtype=np.uint8).reshape(count, 2, 5, 3)
            self.targets = [0, 1] * (count // 2)

    monkeypatch.setattr("torchvision.datasets.CIFAR10", FakeCifar)
    arrays = fetch_by_torchvision(DATA_SETS["cifar10"], tmp_path)
    assert arrays.x_train.shape == (4, 3, 2, 5)
    assert arrays.x_test[0, :, 0, 0].tolist() == [0, 1, 2]
    assert (arrays.y_train.tolist(), arrays.class_names) == ([0, 1, 0, 1], ("plane", "car"))
