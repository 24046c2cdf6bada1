"""IDX files: those of any data set, and FashionMNIST's, checked against their SHA-256.

FashionMNIST is by Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms" (arXiv 1708.07747).
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

from bnbench.errors import DataError

TORCHVISION_LAYOUT = Path("FashionMNIST") / "raw"

CONTENT_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""SHA-256 of each file's decompressed content; any gzip compression of it is accepted."""


def find_complete_folder(root: Path, names: Collection[str]) -> Path | None:
    """Find the folder under `root` with all four files; an incomplete set is an error."""
    for folder in (root / TORCHVISION_LAYOUT, root):
        present = [name for name in names if _has(folder, name)]
        if len(present) == len(names):
            return folder
        if present:
            missing = [name for name in names if name not in present]
            raise DataError(
                f"{folder}: expected all four files of FashionMNIST, got no "
                f"{' and no '.join(missing)} (nor .gz); add what is missing or use another folder"
            )
    return None


def read_checked(folder: Path, name: str, sha256: Mapping[str, str] = CONTENT_SHA256) -> bytearray:
    """Read one of the four files, raw or ``.gz``, and check its content's SHA-256.

    Raises:
        DataError: the file is missing, unreadable, truncated, altered or another data set's.
    """
    path, content = read_content(folder, name)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256[name]:
        described = _describe_idx(content)
        if described is None:
            raise DataError(
                f"{path}: expected content with SHA-256 {sha256[name]}, got {found}; the file is "
                "truncated or damaged: replace it, or use another folder"
            )
        raise DataError(
            f"{path}: expected FashionMNIST, got a complete IDX file of {described} that is not "
            f"FashionMNIST's (SHA-256 {found[:12]}..., not {sha256[name][:12]}...); leave out "
            f"--data-dir and BNBENCH_DATA, or train on these files by --data {folder}"
        )
    return bytearray(content)


def read_content(folder: Path, name: str) -> tuple[Path, bytes]:
    """Read a file, raw or ``.gz``: its path and its decompressed content.

    Raises:
        DataError: it can't be read or unpacked.
    """
    path = folder / name
    if not path.exists():
        path = folder / f"{name}.gz"
    try:
        content = path.read_bytes()
        return path, gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a data file, got one that cannot be read or unpacked ({error}); "
            "replace it, or use another folder"
        ) from None


def find_idx_folder(root: Path) -> Path:
    """Find the folder with four IDX files of any data set: `root`, or below it as torchvision does.

    Raises:
        DataError: there is none, or more than one.
    """
    folders = [
        folder
        for folder in (root, root / "raw", *sorted(root.glob("*/raw")))
        if all(_has(folder, name) for name in CONTENT_SHA256)
    ]
    if len(folders) == 1:
        return folders[0]
    got = " and ".join(map(str, folders)) or "none"
    raise DataError(
        f"{root}: expected one folder with the files {', '.join(CONTENT_SHA256)} (or .gz), got "
        f"{got}; name that folder"
    )


def parse_idx(path: Path, content: bytes) -> tuple[tuple[int, ...], int]:
    """Read the header of a complete IDX file of bytes: its sizes, and its own length.

    Raises:
        DataError: it is no such file.
    """
    header = _parse_header(content)
    if header is None:
        raise DataError(
            f"{path}: expected a complete IDX file of bytes, got {len(content):,} bytes of another "
            "kind; replace it"
        )
    return header


def _has(folder: Path, name: str) -> bool:
    return (folder / name).exists() or (folder / f"{name}.gz").exists()


def _parse_header(content: bytes) -> tuple[tuple[int, ...], int] | None:
    if content[:3] != b"\x00\x00\x08" or len(content) < 4:
        return None
    rank = content[3]
    start = 4 + 4 * rank
    sizes = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    return (sizes, start) if rank and len(content) == start + math.prod(sizes) else None


def _describe_idx(content: bytes) -> str | None:
    """Say what a complete IDX file of bytes holds; None if it is not one."""
    header = _parse_header(content)
    if header is None:
        return None
    sizes = header[0]
    if len(sizes) == 1:
        return f"{sizes[0]:,} labels"
    return f"{sizes[0]:,} images of {' x '.join(map(str, sizes[1:]))}"
