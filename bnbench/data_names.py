"""The data sets that have a name, and what else a study can name as its data; no torch.

A study names its data by a name in `DATA_SETS`, or by the path of an ``.npz`` file, of a folder of
IDX files, or of a function of one's own. On record a path is absolute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bnbench.errors import SpecError
from bnbench.own_code import OwnCode
from bnbench.specs import DEFAULT_DATA


@dataclass(frozen=True)
class NamedData:
    """A data set that torchvision downloads."""

    title: str
    """Name in reports; with `settings`, its class in `torchvision.datasets`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Arguments of that class besides the folder and the part."""


DATA_SETS: dict[str, NamedData] = {
    DEFAULT_DATA: NamedData("FashionMNIST"),
    "mnist": NamedData("MNIST"),
    "kmnist": NamedData("KMNIST"),
    "emnist-balanced": NamedData("EMNIST", {"split": "balanced"}),
    "cifar10": NamedData("CIFAR10"),
}
"""Each data set by the name that studies give it."""

EXPECTED = f"{', '.join(DATA_SETS)}, an .npz file, a folder of IDX files or FILE.py:FUNCTION"


def resolve_data(text: str, folder: Path) -> str:
    """Turn a path in the name of data into an absolute one.

    Args:
        text: as a study or an option gives it.
        folder: what the path is relative to.

    Raises:
        SpecError: it names no data.
    """
    if text in DATA_SETS:
        return text
    code = find_function(text)
    if code is not None:
        assert code.path is not None
        path, suffix = code.path, f":{code.name}"
    else:
        path, suffix = Path(text), ""
    path = (folder / path.expanduser()).resolve()
    is_file = path.is_file() and (bool(suffix) or path.suffix == ".npz")
    if not is_file and not (path.is_dir() and not suffix):
        got = f"{text!r}, which is none of these" if path.exists() else f"no file or folder {path}"
        raise SpecError(f"data: expected {EXPECTED}, got {got}; correct the name or the path")
    return f"{path}{suffix}"


def find_function(text: str) -> OwnCode | None:
    """Find the function that ``FILE.py:FUNCTION`` names; None if it is no such text."""
    file, colon, name = text.rpartition(":")
    return OwnCode(text) if colon and file.endswith(".py") and name.isidentifier() else None


def name_data(data: str) -> str:
    """Name data in a report: a title, or the last part of a path."""
    return DATA_SETS[data].title if data in DATA_SETS else Path(data).name
