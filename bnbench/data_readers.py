"""Reading a study's data: a named data set, an ``.npz`` file, IDX files, or a function's arrays."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile

from bnbench.data import Dataset, load_fashion_mnist
from bnbench.data_arrays import KEYS, Arrays, make_dataset
from bnbench.data_files import CONTENT_SHA256, find_idx_folder, parse_idx, read_content
from bnbench.data_names import DATA_SETS, NamedData, find_function, name_data, resolve_data
from bnbench.data_sources import Sources
from bnbench.errors import DataError, SpecError
from bnbench.own_call import call_own
from bnbench.own_source import identify
from bnbench.specs import DEFAULT_DATA

CLASS_NAMES_KEY = "class_names"
Fetch = Callable[[NamedData, Path], Arrays]


def load_data(data: str = DEFAULT_DATA, data_dir: Path | None = None) -> Dataset:
    """Load a study's data.

    Args:
        data: a key of `DATA_SETS`, or a path as `resolve_data` gives it.
        data_dir: folder of FashionMNIST; None unless `data` names it.

    Raises:
        DataError: there are no such data, or they can't be trained on.
        SpecError: the function that gives them can't be called.
    """
    if data == DEFAULT_DATA:
        return load_fashion_mnist(data_dir)
    if data_dir is not None:
        raise SpecError(
            f"data-dir: expected none, since it is the folder of FashionMNIST and the data are "
            f"{name_data(data)}, got {data_dir}; leave it out"
        )
    if data in DATA_SETS:
        return load_named(DATA_SETS[data])
    resolve_data(data, Path())  # whatever was there may be gone
    if find_function(data) is not None:
        return _call_function(data)
    return _read_npz(Path(data)) if Path(data).is_file() else _read_idx_folder(Path(data))


def fetch_by_torchvision(named: NamedData, folder: Path) -> Arrays:
    """Read a data set by torchvision, which downloads it unless `folder` has it."""
    import torchvision.datasets

    make = getattr(torchvision.datasets, named.title)
    train, test = (
        make(str(folder), train=is_train, download=True, **named.settings)
        for is_train in (True, False)
    )

    def take(part: Any) -> tuple[np.ndarray, np.ndarray]:
        inputs = np.asarray(part.data)
        if inputs.ndim == 4:  # torchvision keeps the channels last, networks want them first
            inputs = inputs.transpose(0, 3, 1, 2)
        return inputs, np.asarray(part.targets)

    return Arrays(*take(train), *take(test), tuple(map(str, train.classes)))


def load_named(
    named: NamedData, fetch: Fetch = fetch_by_torchvision, sources: Sources | None = None
) -> Dataset:
    """Load a data set that has a name, from the folder of downloads or by a download.

    Raises:
        DataError: it can't be downloaded, or is damaged.
    """
    folder = (sources or Sources()).cache
    if folder is None:
        raise DataError(
            f"HOME: expected a home folder to download {named.title} to, got none; set it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        arrays = fetch(named, folder)
    except (OSError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        lines = str(error).strip().splitlines()
        raise DataError(
            f"{named.title}: expected torchvision to read it in {folder} or to download it, got: "
            f"{lines[0].rstrip(':') if lines else repr(error)}; connect to the internet, or name a "
            "folder of its IDX files as the data"
        ) from None
    return make_dataset(named.title, f"{named.title} in {folder}", arrays)


def _read_npz(path: Path) -> Dataset:
    try:
        with path.open("rb") as file, _open_npz(file) as archive:
            found = {key: archive[key] for key in (*KEYS, CLASS_NAMES_KEY) if key in archive}
            names = ", ".join(archive.files) or "nothing"
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        lines = str(error).strip().splitlines()
        raise DataError(
            f"{path}: expected an .npz file of plain arrays, got one that can't be read "
            f"({lines[0] if lines else repr(error)}); save it by numpy.savez"
        ) from None
    return make_dataset(path.name, str(path), _take_keys(str(path), found, names))


def _open_npz(file: BinaryIO) -> NpzFile:
    """Open what numpy.savez writes; other files and pickles raise ValueError."""
    archive = np.load(file, allow_pickle=False)
    if not isinstance(archive, NpzFile):
        raise ValueError("it holds one array without a name")
    return archive


def _take_keys(source: str, found: Mapping[str, Any], names: str) -> Arrays:
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise DataError(
            f"{source}: expected {', '.join(KEYS)}, got no {' and no '.join(missing)} among "
            f"{names}; add what is missing"
        )
    classes = found.get(CLASS_NAMES_KEY)
    x_train, y_train, x_test, y_test = (np.asarray(found[key]) for key in KEYS)
    class_names = None if classes is None else tuple(map(str, classes))
    return Arrays(x_train, y_train, x_test, y_test, class_names)


def _read_idx_folder(root: Path) -> Dataset:
    folder = find_idx_folder(root)
    x_train, y_train, x_test, y_test = (_read_idx(folder, name) for name in CONTENT_SHA256)
    return make_dataset(root.name, str(folder), Arrays(x_train, y_train, x_test, y_test), folder)


def _read_idx(folder: Path, name: str) -> np.ndarray:
    path, content = read_content(folder, name)
    sizes, start = parse_idx(path, content)
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


def _call_function(data: str) -> Dataset:
    code = find_function(data)
    assert code is not None
    code = identify(code, Path())
    found = call_own(code)
    source = code.label
    if isinstance(found, (tuple, list)) and len(found) in (len(KEYS), len(KEYS) + 1):
        found = dict(zip((*KEYS, CLASS_NAMES_KEY), found, strict=False))
    if not isinstance(found, Mapping):
        raise DataError(
            f"{source}: expected a dictionary of {', '.join(KEYS)}, or these as a tuple, got "
            f"{type(found).__name__}; return the four arrays"
        )
    arrays = _take_keys(source, found, ", ".join(map(str, found)) or "nothing")
    dataset = make_dataset(name_data(data), source, arrays)
    return dataclasses.replace(dataset, source_sha256=code.source_sha256)
