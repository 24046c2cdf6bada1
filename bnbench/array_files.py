"""Arrays in .npy, .npz, safetensors and IDX files, as the C++ program reads them too.

It knows nothing of data sets or models.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import DataError

_NUMPY_TYPES = {
    np.dtype(code): name
    for code, name in {
        "?": "bool",
        "u1": "uint8",
        "i1": "int8",
        "<i2": "int16",
        "<i4": "int32",
        "<i8": "int64",
        "<f2": "float16",
        "<f4": "float32",
        "<f8": "float64",
    }.items()
}
_SAFETENSORS_TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "F16": "<f2",
    "BF16": "<u2",
    "F32": "<f4",
    "F64": "<f8",
}


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array as its file holds it."""

    values: NDArray[Any]
    """In C order; a mapped file where possible. The bits of bfloat16, which NumPy lacks, are those
    of uint16."""
    dtype: str
    """Such as ``uint8`` or ``bfloat16``."""

    def __len__(self) -> int:
        return len(self.values)


def read_array(place: str, usual_names: tuple[str, ...]) -> StoredArray:
    """Read an array from a file; ``FILE:NAME`` names one of several in a .npz or safetensors file.

    Args:
        place: the path, with the name of an array where it is needed.
        usual_names: of several arrays without a name, the first of these is taken.

    Raises:
        DataError: the file is missing or damaged, or holds no such array of numbers.
    """
    path, name = Path(place), ""
    if not path.exists() and ":" in place:
        path, name = Path(place.rpartition(":")[0]), place.rpartition(":")[2]
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start.startswith(b"PK"):
            return _read_npz(path, name, usual_names)
        is_idx = start.startswith((b"\x1f\x8b", b"\0\0\x08"))
        is_npy = start.startswith(b"\x93NUMPY")
        if path.suffix == ".safetensors" or (start[8:] == b"{" and not is_idx and not is_npy):
            return _read_safetensors(path, name, usual_names)
        if name:
            raise DataError(
                f"{path}: expected a file of several arrays, of which {name} is one, got another "
                "format"
            )
        if is_npy:
            return _describe(np.load(path, mmap_mode="r", allow_pickle=False), path)
    except OSError as error:
        raise DataError(f"{path}: expected a file of data, got: {error.strerror}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, SyntaxError) as error:
        raise DataError(f"{path}: expected an array of numbers, got: {error}") from None
    if is_idx:
        from bnbench import _native

        try:
            return StoredArray(_native.read_idx(path), "uint8")
        except _native.DataError as error:
            raise DataError(str(error)) from None
    raise DataError(
        f"{path}: expected a .npy, .npz, .safetensors or IDX file, got another format; convert it "
        "with numpy.save"
    )


def _choose(path: Path, names: list[str], name: str, usual_names: tuple[str, ...]) -> str:
    """The name of the array that is meant."""
    if name:
        if name not in names:
            raise DataError(f"{path}: expected an array named {name}, got {', '.join(names[:10])}")
        return name
    if len(names) == 1:
        return names[0]
    for usual in usual_names:
        if usual in names:
            return usual
    raise DataError(
        f"{path}: expected one array, or one named {' or '.join(usual_names)}, got "
        f"{', '.join(names[:10]) or 'none'}; name it: {path}:NAME"
    )


def _read_npz(path: Path, name: str, usual_names: tuple[str, ...]) -> StoredArray:
    # Opened here, for NumPy leaves a damaged archive open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        chosen = _choose(path, list(archive.files), name, usual_names)
        return _describe(archive[chosen], Path(f"{path}:{chosen}"))


def _describe(values: NDArray[Any], path: Path) -> StoredArray:
    dtype = _NUMPY_TYPES.get(values.dtype)
    if dtype is None:
        raise DataError(
            f"{path}: expected little-endian numbers of a type that torch has, got "
            f"{values.dtype.str!r}; convert the array with astype before saving it"
        )
    if not values.flags.c_contiguous:
        raise DataError(
            f"{path}: expected an array in C order, got one in Fortran order; save "
            "numpy.ascontiguousarray of it"
        )
    return StoredArray(values, dtype)


def _read_safetensors(path: Path, name: str, usual_names: tuple[str, ...]) -> StoredArray:
    """Read one tensor; `ValueError` if the header does not describe the file."""
    content = np.memmap(path, mode="r")
    length = int.from_bytes(content[:8].tobytes(), "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ValueError("a safetensors header that reaches beyond the file")
    header = json.loads(content[8 : 8 + length].tobytes())
    if not isinstance(header, dict):
        raise ValueError("a safetensors header that is no object")
    header.pop("__metadata__", None)
    tensor = header[_choose(path, list(header), name, usual_names)]
    try:
        code, shape, (start, end) = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
        values = content[8 + length :][start:end].view(_SAFETENSORS_TYPES[code]).reshape(shape)
    except (KeyError, TypeError) as error:
        raise ValueError(f"a tensor without a known {error}") from None
    return StoredArray(values, "bfloat16" if code == "BF16" else _NUMPY_TYPES[values.dtype])
