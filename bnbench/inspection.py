"""What ``inspection.json`` holds: the mistakes of a run's networks, and the values inside them.

`bnbench.models.inspection` computes it with torch and the data set; the report needs neither.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bnbench.errors import RunError, SpecError
from bnbench.files import replace_file
from bnbench.mapping import build_from_mapping

FORMAT_VERSION = 1
FILE_NAME = "inspection.json"
LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""The quantiles that a `ValuesRecord` holds."""
Stage = Literal["before", "after"]


@dataclass(frozen=True)
class ConfusionRecord:
    """The predictions of all scored models of one variant on one device."""

    variant: str
    device: str
    seeds: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]
    """Test images over all seeds; row: true class, column: predicted class."""
    correct: tuple[tuple[int, ...], ...]
    """Test images classified correctly; row: seed, column: true class."""

    def __post_init__(self) -> None:
        size = len(self.counts)
        if any(len(row) != size for row in (*self.counts, *self.correct)):
            raise SpecError(f"counts: expected {size} numbers in each row, got others")
        if len(self.correct) != len(self.seeds):
            raise SpecError(f"correct: expected {len(self.seeds)} rows, got {len(self.correct)}")


@dataclass(frozen=True)
class ImageRecord:
    """A test image, and the answers of two variants over the same seeds."""

    number: int
    """Its place in the test set, from 0."""
    label: int
    """Its true class."""
    answers: tuple[int, ...]
    """The class that most seeds of baseline and candidate say; of equals the first."""
    votes: tuple[int, ...]
    """How many seeds say so."""
    correct: tuple[int, ...]
    """How many seeds of baseline and candidate say the true class."""
    pixels: str | None
    """Rows of bytes in base64, 0 black to 255 white, of `InspectionRecord.image_size`; None if the
    input is no image."""

    def __post_init__(self) -> None:
        if {len(self.answers), len(self.votes), len(self.correct)} != {2}:
            raise SpecError("answers: expected two, got another number")
        try:
            _ = self.content
        except binascii.Error as error:
            raise SpecError(f"pixels: expected base64, got {error}") from None

    @property
    def content(self) -> bytes:
        """The bytes of `pixels`; empty if there are none."""
        return base64.b64decode(self.pixels or "", validate=True)


@dataclass(frozen=True)
class DisagreementRecord:
    """The test images that most seeds of one variant get right and most of the other get wrong."""

    baseline: str
    candidate: str
    device: str
    num_seeds: int
    """Seeds that both have a model of."""
    num_ahead: int
    """Images that most seeds of the candidate get right and most of the baseline get wrong."""
    num_behind: int
    """The reverse."""
    image_deviation: float
    """Standard deviation that another sample of as many test images would give the difference of
    the mean accuracies, as a fraction."""
    ahead: tuple[ImageRecord, ...]
    """Some of them: the largest difference of correct seeds first, then in the set's order, and at
    most two of each class."""
    behind: tuple[ImageRecord, ...]


@dataclass(frozen=True)
class ValuesRecord:
    """Values in the networks of one variant, pooled over units, images and seeds."""

    variant: str
    layer: str
    """``activation1`` for the inputs of the first activation, ``linear1`` for the gradient of the
    loss by the first layer's weights."""
    kind: Literal["input", "gradient"]
    stage: Stage
    """Before training (initial weights) or after it (exported weights)."""
    quantiles: tuple[float, ...]
    """At `LEVELS`; of a gradient those of its absolute value."""
    spread: float
    """Standard deviation of inputs; root mean square of a gradient."""
    dead: float | None
    """Share of ReLU units whose input is at most 0 on every image; None for others."""

    def __post_init__(self) -> None:
        if len(self.quantiles) != len(LEVELS):
            raise SpecError(f"quantiles: expected {len(LEVELS)}, got {len(self.quantiles)}")


@dataclass(frozen=True)
class InspectionRecord:
    """Everything that a run's networks were inspected for."""

    class_names: tuple[str, ...]
    num_test_images: int
    confusions: tuple[ConfusionRecord, ...]
    """In the order of the study's devices and variants."""
    disagreements: tuple[DisagreementRecord, ...]
    """One for each candidate, on the study's first device."""
    batch_images: int
    """The training images, from the first on, that `values` were computed on as one batch."""
    value_seeds: tuple[int, ...]
    """The seeds that `values` are pooled over."""
    values: tuple[ValuesRecord, ...]
    """Models of the study's first device; variants, then stages, then layers in their order."""
    image_size: tuple[int, ...] | None = (28, 28)
    """Height and width of each `ImageRecord`, and 3 if it is in color; None if inputs are no
    images."""

    def __post_init__(self) -> None:
        expected = 0 if self.image_size is None else math.prod(self.image_size)
        for each in self.disagreements:
            for image in (*each.ahead, *each.behind):
                if len(image.content) != expected:
                    raise SpecError(f"pixels: expected {expected} bytes, got {len(image.content)}")

    @property
    def noun(self) -> str:
        """What a test input is called in texts."""
        return "input" if self.image_size is None else "image"


def write_inspection(folder: Path, record: InspectionRecord) -> None:
    """Write a run's ``inspection.json`` whole."""
    content = {"format_version": FORMAT_VERSION, **dataclasses.asdict(record)}
    replace_file(folder / FILE_NAME, (json.dumps(content, allow_nan=False) + "\n").encode())


def read_inspection(folder: Path) -> InspectionRecord | None:
    """Read what `write_inspection` wrote; None if the run was not inspected.

    Raises:
        RunError: the file is damaged, or another version of bnbench wrote it.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
        version = content.pop("format_version", None) if isinstance(content, dict) else None
        if version == FORMAT_VERSION:
            return build_from_mapping(InspectionRecord, content)
        found = f"format {version!r}"
    except (OSError, ValueError, SpecError) as error:
        found = str(error)
    raise RunError(
        f"{path}: expected inspection format {FORMAT_VERSION}, got {found}; "
        f"'bnbench verify {folder}' writes it anew"
    )
