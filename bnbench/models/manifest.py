"""The manifest beside an exported model: its entries, its text form and its seal.

The file is JSON whose last entry is the SHA-256 of all bytes before that entry. A program in any
language can check it without agreeing on how JSON is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import RunError, SpecError
from bnbench.mapping import build_from_mapping
from bnbench.recipes import RecipeSpec
from bnbench.specs import VariantSpec

FORMAT_VERSION = 1
_SEAL_START = b',\n  "manifest_sha256": "'
_SEAL_END = b'"\n}\n'
_SEAL_LENGTH = len(_SEAL_START) + 64 + len(_SEAL_END)


@dataclass(frozen=True)
class ModelFile:
    """The TorchScript file that the manifest belongs to."""

    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class DataDescription:
    """The data set whose test images `Expectation` is about."""

    name: str
    test_images_sha256: str
    test_labels_sha256: str


@dataclass(frozen=True)
class TensorDescription:
    """A parameter or buffer; the hash is that of its values, little-endian."""

    shape: tuple[int, ...]
    dtype: str
    sha256: str


@dataclass(frozen=True)
class NetworkDescription:
    """The network at export, so that `diagnose_file` can say where a file was altered."""

    tensors: dict[str, TensorDescription]
    """Each parameter and buffer by the name torch gives it, such as ``linear1.weight``."""
    constants: dict[str, float]
    """Values that no tensor holds, such as ``norm1.eps``."""
    training: tuple[str, ...]
    """Names of the modules in training mode."""


@dataclass(frozen=True)
class Probes:
    """A few test images and their logits, one row of 10 per image."""

    indices: tuple[int, ...]
    logits: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if [len(row) for row in self.logits] != [10] * len(self.indices):
            raise SpecError(f"logits: expected {len(self.indices)} rows of 10, got others")


@dataclass(frozen=True)
class Expectation:
    """What the model gives for the test images."""

    total: int
    correct: int
    predictions: str
    """One digit per image."""
    predictions_sha256: str
    probes: Probes


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The entries of a manifest, in the order of the file."""

    model: ModelFile
    variant: VariantSpec
    recipe: RecipeSpec
    seed: int
    device: str
    engine: str
    versions: dict[str, str]
    """Versions of ``bnbench`` and ``torch`` at export."""
    data: DataDescription
    network: NetworkDescription | None = None
    """None if an older bnbench wrote the manifest."""
    expected: Expectation


def describe_tensor(values: NDArray[Any]) -> TensorDescription:
    """A tensor's entry in a manifest."""
    little_endian = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    digest = hashlib.sha256(little_endian.tobytes()).hexdigest()
    return TensorDescription(values.shape, values.dtype.name, digest)


def seal_manifest(content: Mapping[str, Any]) -> bytes:
    """Write `content` as JSON, format version first and its own SHA-256 last."""
    document = json.dumps({"format_version": FORMAT_VERSION, **content}, indent=2, allow_nan=False)
    body = document.removesuffix("\n}").encode()
    return body + _SEAL_START + hashlib.sha256(body).hexdigest().encode() + _SEAL_END


def read_manifest(path: Path) -> Manifest:
    """Read a manifest after its seal and its format version were checked.

    Raises:
        RunError: the file is missing, was altered, or has another format version or other entries.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path}: expected a manifest, got none: {error.strerror}; put it beside the model, or "
            "name it (bnbench diagnose --manifest)"
        ) from None
    body, seal = raw[:-_SEAL_LENGTH], raw[-_SEAL_LENGTH:]
    digest = hashlib.sha256(body).hexdigest().encode()
    if seal != _SEAL_START + digest + _SEAL_END:
        raise RunError(
            f"{path}: expected a bnbench manifest, which ends with the SHA-256 of the rest, got "
            "another file or an altered one; export the model again"
        )
    try:
        content: dict[str, Any] = json.loads(raw)
    except (ValueError, RecursionError):
        raise RunError(
            f"{path}: expected JSON, got none, though the SHA-256 is right; export the model again"
        ) from None
    version = content.pop("format_version", None)
    if version != FORMAT_VERSION:
        age = "newer" if isinstance(version, int) and version > FORMAT_VERSION else "older"
        raise RunError(
            f"{path}: expected manifest format {FORMAT_VERSION}, got {version!r}, which is "
            f"{age}; use the version of bnbench that wrote it"
        )
    del content["manifest_sha256"]
    try:
        return build_from_mapping(Manifest, content)
    except (SpecError, OverflowError) as error:
        raise RunError(f"{path}: {error}") from None
