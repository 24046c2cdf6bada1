from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnbench.array_files import read_array
from bnbench.errors import DataError

USUAL = ("inputs", "x_test")
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def write_safetensors(path: Path, header: dict[str, Any], values: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)
    return path


def test_a_npy_file_is_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    found = read_array(str(tmp_path / "x.npy"), USUAL)
    assert isinstance(found.values, np.memmap)
    assert (found.dtype, len(found)) == ("float32", 2)
    assert np.array_equal(found.values, X)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_member_is_named_or_usual_or_the_only_one(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "a.npz"
    save(path, a=X, x_test=X + 1)
    assert np.array_equal(read_array(str(path), USUAL).values, X + 1)
    assert np.array_equal(read_array(f"{path}:a", USUAL).values, X)
    with pytest.raises(DataError, match="expected an array named b, got a, x_test"):
        read_array(f"{path}:b", USUAL)
    with pytest.raises(DataError, match="expected one array, or one named y, got a, x_test; name"):
        read_array(str(path), ("y",))
    save(path, only=X)
    assert np.array_equal(read_array(str(path), ("y",)).values, X)


def test_tensors_of_safetensors_are_read_also_in_bfloat16(tmp_path: Path) -> None:
    header = {
        "x": {"dtype": "F32", "shape": [2, 3, 4], "data_offsets": [0, 96]},
        "inputs": {"dtype": "BF16", "shape": [2], "data_offsets": [96, 100]},
        "__metadata__": {"format": "pt"},
    }
    path = write_safetensors(tmp_path / "a.bin", header, X.tobytes() + b"\x80\x3f\x00\x40")
    found = read_array(str(path), USUAL)
    assert (found.dtype, found.values.tolist()) == ("bfloat16", [0x3F80, 0x4000])
    assert np.array_equal(read_array(f"{path}:x", USUAL).values, X)


def test_idx_files_are_read_raw_and_gzipped(tmp_path: Path) -> None:
    content = bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6])
    for name, raw in (("a", content), ("a.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(raw)
        assert read_array(str(tmp_path / name), USUAL).values.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([None]), "expected an array of numbers"),
        (X.astype(">f4"), "expected little-endian numbers"),
        (X.astype(complex), "of a type that torch has, got '<c16'"),
        (np.asfortranarray(X), "expected an array in C order"),
    ],
    ids=["objects", "big-endian", "complex", "Fortran order"],
)
def test_arrays_that_cpp_refuses_are_refused(tmp_path: Path, array: Any, message: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=message):
        read_array(str(tmp_path / "x.npy"), USUAL)


def test_damage_is_one_clear_error(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", X)
    header = {"x": {"dtype": "F32", "shape": [2, 3, 4], "data_offsets": [0, 96]}}
    write_safetensors(tmp_path / "x.safetensors", header, X.tobytes())
    for name in ("x.npy", "x.npz", "x.safetensors"):
        path = tmp_path / name
        content = path.read_bytes()
        for size in range(0, len(content), 7):
            path.write_bytes(content[:size])
            with pytest.raises(DataError):
                read_array(str(path), USUAL)
    with pytest.raises(DataError, match="none: expected a file of data, got: No such file"):
        read_array(str(tmp_path / "none"), USUAL)
    (tmp_path / "x.csv").write_text("1,2,3\n")
    with pytest.raises(DataError, match="convert it with numpy.save"):
        read_array(str(tmp_path / "x.csv"), USUAL)


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "F8"},
        {"shape": [2, 3, 5]},
        {"shape": "x"},
        {"data_offsets": [0, 95]},
        {"data_offsets": [0]},
        {"data_offsets": ["a", "b"]},
    ],
    ids=str,
)
def test_a_safetensors_header_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    tensor = {"dtype": "F32", "shape": [2, 3, 4], "data_offsets": [0, 96], **change}
    path = write_safetensors(tmp_path / "x.safetensors", {"x": tensor}, X.tobytes())
    with pytest.raises(DataError):
        read_array(str(path), USUAL)
