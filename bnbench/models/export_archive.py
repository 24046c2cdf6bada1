"""The parts of a ``torch.export`` archive (``.pt2``), read without torch and without running code.

An archive is a zip with stored entries below one folder: ``models/model.json`` holds the graph,
``data/weights`` and ``data/constants`` the tensors as raw little-endian values, each with a JSON
file that says what they are. The one pickle in it, the example inputs, is never opened; tensors
that were pickled are refused.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import RunError

SCHEMA_MAJOR = 8
"""Version of the graph's schema that torch 2.9 to 2.14 write."""
_MAX_ARCHIVE_BYTES = 2**31
_MAX_JSON_BYTES = 2**26
_DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    12: "bool",
    13: "bfloat16",
}
"""Types of values by the number that torch's schema gives them."""


def name_dtype(number: object) -> str:
    """The name of a type of values in torch's schema."""
    name = _DTYPES.get(number) if isinstance(number, int) else None
    if name is None:
        raise ValueError(f"it holds values of type {number!r}, which can't be read")
    return name


def is_export_archive(content: bytes) -> bool:
    """Whether bytes are a ``torch.export`` archive and no TorchScript file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(name.endswith("/archive_format") for name in archive.namelist())
    except Exception:
        return False


class ExportArchive:
    """An archive's graph and tensors.

    Args:
        content: the file's bytes.

    Raises:
        RunError: they are no archive that can be read, or are damaged.
    """

    def __init__(self, content: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                self._entries = _read_entries(archive)
            self._check_format()
            self.program: dict[str, Any] = self._read_json("models/model.json")
            self._check_version()
            self.tensors: dict[str, NDArray[Any]] = {}
            """Every parameter, buffer and constant by its name in the module."""
            self.dtypes: dict[str, str] = {}
            """The type that each tensor has in the file; `tensors` holds bfloat16 as float32."""
            for kind in ("weights", "constants"):
                self._read_tensors(kind)
        except Exception as error:
            # Damage comes up as nearly anything; zipfile and json promise no list.
            raise RunError(f"expected a torch.export archive, got damage: {error!r}") from None

    def _check_format(self) -> None:
        for name, expected in {
            "archive_format": b"pt2",
            "archive_version": b"0",
            "byteorder": b"little",
        }.items():
            if self._entries[name] != expected:
                raise ValueError(f"{name} is {self._entries[name][:20]!r}, not {expected!r}")

    def _check_version(self) -> None:
        version = self.program["schema_version"]["major"]
        if version != SCHEMA_MAJOR:
            raise ValueError(f"its graph has schema {version!r}, not {SCHEMA_MAJOR}")

    def _read_json(self, name: str) -> dict[str, Any]:
        content = self._entries[name]
        if len(content) > _MAX_JSON_BYTES:
            raise ValueError(f"{name} has more than 64 MiB")
        value = json.loads(content)
        if not isinstance(value, dict):
            raise ValueError(f"{name} is no table")
        return value

    def _read_tensors(self, kind: str) -> None:
        for name, entry in self._read_json(f"data/{kind}/model_{kind}_config.json")[
            "config"
        ].items():
            if entry["use_pickle"] is not False:
                raise ValueError(f"{name} is pickled")
            meta = entry["tensor_meta"]
            dtype = name_dtype(meta["dtype"])
            content = self._entries[f"data/{kind}/{entry['path_name']}"]
            self.tensors[name] = _read_tensor(name, content, dtype, meta)
            self.dtypes[name] = dtype


def _read_entries(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """All entries but the example inputs, by their names below the archive's one folder."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    if sum(info.file_size for info in infos) > _MAX_ARCHIVE_BYTES:
        raise ValueError("it unpacks to more than 2 GiB")
    ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
    entries = {}
    prefixes = set()
    for info, end in zip(infos, ends, strict=True):
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise ValueError(f"{info.filename} is not stored as it is")
        # A header has 30 bytes and the name at least.
        if info.header_offset + 30 + len(info.orig_filename) + info.file_size > end:
            raise ValueError(f"{info.filename} overlaps the next entry")
        prefix, _, name = info.filename.partition("/")
        if name in entries:
            raise ValueError(f"two entries are named {name}")
        prefixes.add(prefix)
        if not name.startswith("data/sample_inputs/"):
            entries[name] = archive.read(info)
    if len(prefixes) != 1:
        raise ValueError(f"it has {len(prefixes)} folders, not one")
    return entries


def _read_tensor(name: str, content: bytes, dtype: str, meta: dict[str, Any]) -> NDArray[Any]:
    sizes = [read_size(size) for size in meta["sizes"]]
    strides = [read_size(stride) for stride in meta["strides"]]
    offset = read_size(meta["storage_offset"])
    if len(sizes) != len(strides) or len(sizes) > 8:
        raise ValueError(f"{name} has {len(sizes)} sizes and {len(strides)} strides")
    raw: NDArray[Any]
    if dtype == "bfloat16":
        raw = (np.frombuffer(content, dtype="<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        raw = np.frombuffer(content, dtype=np.dtype(dtype).newbyteorder("<"))
    if math.prod(sizes) == 0:
        return np.zeros(sizes, dtype=raw.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    if last >= len(raw) or math.prod(sizes) > len(raw):
        raise ValueError(f"{name} reaches beyond its {len(raw)} values")
    view = np.lib.stride_tricks.as_strided(
        raw[offset:], sizes, [step * raw.itemsize for step in strides]
    )
    return np.ascontiguousarray(view).reshape(sizes)


def read_size(size: Any) -> int:
    """A size that the file gives as a number."""
    value = size["as_int"]
    if type(value) is not int or not 0 <= value < 2**40:
        raise ValueError(f"it holds a size of {value!r}")
    return value
