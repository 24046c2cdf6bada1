"""The manifest beside a model: its entries, its text form and its seal.

The file is JSON whose last entry is the SHA-256 of all bytes before that entry. A program in any
language can check it without agreeing on how JSON is written. Format 1, which knew only 28 x 28
bytes and ten classes, is read as format 2.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bnbench.array_hash import hash_values
from bnbench.errors import RunError, SpecError, require_positive
from bnbench.mapping import build_from_mapping
from bnbench.models.preprocessing import DTYPES, Preprocessing
from bnbench.recipes import RecipeSpec
from bnbench.specs import VariantSpec

FORMAT_VERSION = 2
ModelFormat = Literal["torchscript", "pt2", "onnx", "aotinductor"]
OutputKind = Literal["logits", "probabilities", "log-probabilities", "labels"]
_SEAL_START = b',\n  "manifest_sha256": "'
_SEAL_END = b'"\n}\n'
_SEAL_LENGTH = len(_SEAL_START) + 64 + len(_SEAL_END)


@dataclass(frozen=True)
class ModelFile:
    """The file that the manifest belongs to."""

    file: str
    sha256: str
    size_bytes: int
    format: ModelFormat = "torchscript"
    is_traced: bool = False
    """Whether tracing made a TorchScript file, since its network's code can't be compiled."""


@dataclass(frozen=True)
class InputDescription:
    """One input as a data file holds it, and what is done to it before the model gets it."""

    shape: tuple[int, ...]
    """Shape per input, such as (28, 28); empty if each input is one number."""
    dtype: str
    """Type in the data file, one of `DTYPES`."""
    preprocessing: Preprocessing = ()

    def __post_init__(self) -> None:
        if any(size < 1 for size in self.shape):
            raise SpecError(f"shape: expected sizes of at least 1, got {list(self.shape)}")
        if self.dtype not in DTYPES:
            raise SpecError(f"dtype: expected one of {', '.join(DTYPES)}; got {self.dtype!r}")


@dataclass(frozen=True)
class OutputDescription:
    """What the model returns for a batch of N inputs."""

    kind: OutputKind
    """Scores of shape (N, num_classes), or ``labels``: N whole numbers."""
    num_classes: int
    element: int | str | None = None
    """Position or key of the output, if the model returns a tuple or a dictionary."""

    def __post_init__(self) -> None:
        require_positive(self, "num_classes")


@dataclass(frozen=True)
class DataDescription:
    """The inputs and targets that `Expectation` is about.

    A hash is that of the values, little-endian in C order, targets as int64 (`hash_values`); for
    an IDX file it may be that of the decompressed file.
    """

    name: str
    inputs_sha256: str
    targets_sha256: str


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
    """A few inputs and their scores, one row per input."""

    indices: tuple[int, ...]
    logits: tuple[tuple[float, ...], ...]
    """Scores as the model gives them, which may be probabilities; one per class."""

    def __post_init__(self) -> None:
        if len(self.logits) != len(self.indices) or len(set(map(len, self.logits))) > 1:
            raise SpecError(f"logits: expected {len(self.indices)} rows of one length, got others")


@dataclass(frozen=True)
class Expectation:
    """What the model gives for the inputs of `DataDescription`."""

    total: int
    correct: int
    predictions: tuple[int, ...]
    """One class per input: the first largest score, or the label."""
    predictions_sha256: str
    """`hash_values` of the predictions as int64."""
    probes: Probes | None
    """None if the model returns labels."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The entries of a manifest, in the order of the file."""

    model: ModelFile
    input: InputDescription
    output: OutputDescription
    data: DataDescription
    variant: VariantSpec | None = None
    """None, as the next four, if bnbench did not train the model."""
    recipe: RecipeSpec | None = None
    seed: int | None = None
    device: str | None = None
    engine: str | None = None
    versions: dict[str, str]
    """Versions of ``bnbench`` and of the packages that computed `expected`, such as ``torch``."""
    network: NetworkDescription | None = None
    """None if an older bnbench wrote the manifest, or did not train the model."""
    expected: Expectation

    def __post_init__(self) -> None:
        probes, num_classes = self.expected.probes, self.output.num_classes
        if len(self.expected.predictions) != self.expected.total:
            raise SpecError(
                f"expected.predictions: expected {self.expected.total} of them, got "
                f"{len(self.expected.predictions)}"
            )
        if any(not 0 <= label < num_classes for label in self.expected.predictions):
            raise SpecError(
                f"expected.predictions: expected classes from 0 to {num_classes - 1}, got others"
            )
        if probes is not None and {len(row) for row in probes.logits} - {num_classes}:
            raise SpecError(f"expected.probes: expected rows of {num_classes} scores, got others")

    def get_variant(self) -> VariantSpec:
        """The variant that was trained.

        Raises:
            RunError: bnbench did not train the model.
        """
        if self.variant is None:
            raise RunError(
                f"{self.model.file}: expected a model that bnbench trained, got a sealed one; "
                "evaluate it with 'bnbench verify MODEL'"
            )
        return self.variant


def describe_tensor(values: NDArray[Any]) -> TensorDescription:
    """A tensor's entry in a manifest."""
    return TensorDescription(values.shape, values.dtype.name, hash_values(values))


def make_manifest(manifest: Manifest) -> bytes:
    """The bytes of a manifest's file."""
    content = dataclasses.asdict(manifest)
    content["input"]["preprocessing"] = [step.to_mapping() for step in manifest.input.preprocessing]
    return seal_manifest(content)


def seal_manifest(content: Mapping[str, Any]) -> bytes:
    """Write `content` as JSON, format version first and its own SHA-256 last."""
    document = _write_json({"format_version": FORMAT_VERSION, **content}, "\n")
    body = document.removesuffix("\n}").encode()
    return body + _SEAL_START + hashlib.sha256(body).hexdigest().encode() + _SEAL_END


def _write_json(value: object, newline: str) -> str:
    """JSON with one entry per line, but a list of numbers on one line; `newline` has the indent."""
    inner = newline + "  "
    if isinstance(value, Mapping) and value:
        parts = [f"{json.dumps(key)}: {_write_json(item, inner)}" for key, item in value.items()]
        return "{" + inner + ("," + inner).join(parts) + newline + "}"
    if isinstance(value, (list, tuple)) and any(
        isinstance(item, (Mapping, list, tuple)) for item in value
    ):
        return (
            "["
            + inner
            + ("," + inner).join(_write_json(item, inner) for item in value)
            + newline
            + "]"
        )
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


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
    if version not in (1, FORMAT_VERSION):
        age = "newer" if isinstance(version, int) and version > FORMAT_VERSION else "older"
        raise RunError(
            f"{path}: expected manifest format {FORMAT_VERSION}, got {version!r}, which is "
            f"{age}; use the version of bnbench that wrote it"
        )
    del content["manifest_sha256"]
    try:
        if version == 1:
            content = _read_first_format(content)
        return build_from_mapping(Manifest, content)
    except (SpecError, OverflowError) as error:
        raise RunError(f"{path}: {error}") from None


def _read_first_format(content: dict[str, Any]) -> dict[str, Any]:
    """The entries of format 1 as those of format 2; wrong ones are left for the next check."""
    data, expected = content.get("data"), content.get("expected")
    if isinstance(data, dict):
        names = {"test_images_sha256": "inputs_sha256", "test_labels_sha256": "targets_sha256"}
        data = {names.get(key, key): value for key, value in data.items()}
    if isinstance(expected, dict) and isinstance(digits := expected.get("predictions"), str):
        if not (digits.isascii() and digits.isdigit()):
            raise SpecError("expected.predictions: expected digits, got other characters")
        classes = np.frombuffer(digits.encode(), np.uint8).astype(np.int64) - ord("0")
        expected = {
            **expected,
            "predictions": classes.tolist(),
            "predictions_sha256": hash_values(classes),
        }
    return {
        **content,
        "input": {
            "shape": [28, 28],
            "dtype": "uint8",
            "preprocessing": [
                {"step": "divide", "by": 255},
                {"step": "reshape", "shape": [1, 28, 28]},
            ],
        },
        "output": {"kind": "logits", "num_classes": 10},
        **({} if data is None else {"data": data}),
        **({} if expected is None else {"expected": expected}),
    }
