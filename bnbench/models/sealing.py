"""A manifest for any classifier, wherever it was trained: run it, check it, write what it gives.

What `export` is for the models that bnbench trains, this is for those of others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bnbench
from bnbench.array_files import StoredArray, read_array
from bnbench.array_hash import hash_values
from bnbench.errors import DataError, DisagreementError, RunError, SpecError
from bnbench.files import replace_file
from bnbench.models.classifiers import open_classifier
from bnbench.models.evaluator import Evaluator
from bnbench.models.expectation import describe_results
from bnbench.models.exported_model import name_manifest
from bnbench.models.manifest import (
    DataDescription,
    InputDescription,
    Manifest,
    ModelFile,
    OutputDescription,
    OutputKind,
    make_manifest,
)
from bnbench.models.neighbors import find_neighbor_fault
from bnbench.models.preprocessing import Preprocessing, format_preprocessing, parse_preprocessing
from bnbench.models.scores import detect_kind

_FEWEST_FOR_HINT = 50
_NUM_TRIED_INPUTS = 500
_USUAL_SCALINGS = (
    "",
    "divide=255",
    "scale=255",
    "divide=255,normalize=0.5/0.5",
    "divide=255,normalize=0.1307/0.3081",
    "divide=255,normalize=0.286/0.353",
    "divide=255,normalize=0.485:0.456:0.406/0.229:0.224:0.225",
    "normalize=0.5/0.5",
    "normalize=0.1307/0.3081",
    "normalize=0.286/0.353",
    "normalize=0.485:0.456:0.406/0.229:0.224:0.225",
)
"""What networks are often trained on: bytes, [0, 1], [-1, 1], and normalized as MNIST, FashionMNIST
and ImageNet usually are."""


@dataclass(frozen=True, kw_only=True)
class SealSpec:
    """What is to be sealed."""

    model: Path
    inputs: str
    """File of the inputs, with the name of the array where it needs one."""
    targets: str
    """File of their classes."""
    preprocessing: Preprocessing = ()
    num_classes: int | None = None
    """None: as many as the model has scores, or as there are labels."""
    kind: OutputKind | None = None
    """None: it is detected."""
    element: int | str | None = None
    """Which of several outputs is the one."""
    manifest: Path | None = None
    """Where to write it; None: beside the model."""
    replaces: bool = False
    """Whether a manifest that is there already is replaced."""


@dataclass(frozen=True)
class SealRecord:
    """What was sealed."""

    path: Path
    """The manifest's."""
    manifest: Manifest
    warnings: tuple[str, ...]


def seal_model(spec: SealSpec) -> SealRecord:
    """Run a model over labeled inputs, check it, and write its manifest.

    The results are those of one thread per batch, as `bnbench-eval` computes them.

    Raises:
        DataError: inputs or targets can't be used.
        RunError: the model can't be loaded or run, or its output is not as described.
        DisagreementError: it is in training mode, depends on its batch or is not deterministic.
    """
    path = spec.manifest or name_manifest(spec.model)
    if path.exists() and not spec.replaces:
        raise RunError(f"{path}: expected no manifest yet, got one; --force replaces it")
    try:
        content = spec.model.read_bytes()
    except OSError as error:
        raise RunError(f"{spec.model}: expected a model, got none: {error.strerror}") from None
    inputs = read_array(spec.inputs, ("inputs", "x_test"))
    targets = read_targets(spec.targets, inputs)
    classifier = open_classifier(content, spec.model.name)
    if classifier.training_fault is not None:
        raise DisagreementError(
            f"{spec.model.name}: `{classifier.training_fault}`: expected evaluation mode, got "
            "training mode; call eval() before exporting"
        )
    evaluator = Evaluator(classifier, inputs, spec.preprocessing, spec.element, spec.model.name)
    scores = evaluator.run_all()
    kind = _choose_kind(spec, scores, evaluator)
    num_classes = _count_classes(spec, kind, scores, targets)
    fault = find_neighbor_fault(scores, kind == "labels", evaluator.epsilon, evaluator.run)
    if fault is not None:
        raise DisagreementError(f"{spec.model.name}: {fault}")
    manifest = Manifest(
        model=ModelFile(
            spec.model.name, hashlib.sha256(content).hexdigest(), len(content), classifier.format
        ),
        input=InputDescription(inputs.values.shape[1:], inputs.dtype, spec.preprocessing),
        output=OutputDescription(kind, num_classes, spec.element),
        data=DataDescription(
            Path(spec.inputs).name, hash_values(inputs.values), hash_values(targets)
        ),
        versions={"bnbench": bnbench.__version__, **classifier.software},
        expected=describe_results(scores, kind, targets),
    )
    warnings = list(_list_warnings(spec, manifest, scores, targets, evaluator))
    replace_file(path, make_manifest(manifest))
    return SealRecord(path, manifest, tuple(warnings))


def read_targets(place: str, inputs: StoredArray) -> NDArray[np.int64]:
    """The classes of inputs, shape (num_inputs,).

    Raises:
        DataError: they are no classes, or not as many as inputs.
    """
    stored = read_array(place, ("targets", "y_test"))
    values = stored.values
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if inputs.values.ndim < 1 or not inputs.values.size:
        raise DataError(f"inputs: expected at least one, got shape {inputs.values.shape}")
    if values.ndim != 1 or values.dtype.kind not in "iu" or stored.dtype == "bfloat16":
        raise DataError(
            f"{place}: expected one whole number per input, of shape (N,), got {stored.dtype} of "
            f"shape {stored.values.shape}"
        )
    if len(values) != len(inputs):
        raise DataError(
            f"{place}: expected one label for each of the {len(inputs):,} inputs, got "
            f"{len(values):,}"
        )
    if values.min() < 0:
        raise DataError(f"{place}: expected classes from 0 on, got {values.min()}")
    return values.astype(np.int64)


def _choose_kind(spec: SealSpec, scores: NDArray[np.float32], evaluator: Evaluator) -> OutputKind:
    """The kind that was asked for, if the scores can be that, or the one they look like."""
    found = detect_kind(scores, evaluator.is_floating, evaluator.epsilon)
    # Any scores may be logits, but labels are whole numbers and nothing else is.
    fits = spec.kind in (None, found) or (spec.kind == "logits" and found != "labels")
    if not fits:
        raise RunError(
            f"output: expected {spec.kind} from {spec.model.name}, got values that look like "
            f"{found}; leave --output out, or export the network with that output"
        )
    return spec.kind or found


def _count_classes(
    spec: SealSpec, kind: OutputKind, scores: NDArray[np.float32], targets: NDArray[np.int64]
) -> int:
    largest = int(targets.max())
    if kind == "labels":
        found = max(largest, int(scores.max())) + 1
        if spec.num_classes is not None and found > spec.num_classes:
            raise RunError(f"classes: expected {spec.num_classes}, got label {found - 1}")
        return spec.num_classes or found
    width = int(scores.shape[1])
    if spec.num_classes not in (None, width):
        raise RunError(f"classes: expected {spec.num_classes}, got {width} scores per input")
    if largest >= width:
        raise DataError(
            f"{spec.targets}: expected classes from 0 to {width - 1}, as the model has them, got "
            f"{largest}"
        )
    return width


def _list_warnings(
    spec: SealSpec,
    manifest: Manifest,
    scores: NDArray[np.float32],
    targets: NDArray[np.int64],
    evaluator: Evaluator,
) -> Sequence[str]:
    """What may be wrong although nothing is broken."""
    expected, num_classes = manifest.expected, manifest.output.num_classes
    warnings = []
    found = detect_kind(scores, evaluator.is_floating, evaluator.epsilon)
    if found != manifest.output.kind:
        warnings.append(f"sealed as {manifest.output.kind}, but each row looks like {found}")
    if len(set(expected.predictions)) == 1 and expected.total > 1:
        warnings.append(f"every input is predicted as class {expected.predictions[0]}")
    chance, accuracy = 1 / num_classes, expected.correct / expected.total
    is_near_chance = accuracy <= chance + 2 * math.sqrt(chance / expected.total)
    if num_classes > 1 and expected.total >= _FEWEST_FOR_HINT and is_near_chance:
        warnings.append(
            f"the accuracy is near that of guessing among {num_classes} classes; "
            + _find_scaling_hint(spec, manifest.output.kind, targets, evaluator, accuracy, chance)
        )
    return warnings


def _find_scaling_hint(
    spec: SealSpec,
    kind: OutputKind,
    targets: NDArray[np.int64],
    evaluator: Evaluator,
    accuracy: float,
    chance: float,
) -> str:
    """Try the usual scalings on some inputs, and name the best if it is clearly better."""
    shaping = tuple(step for step in spec.preprocessing if step.step in ("reshape", "cast"))
    best, best_steps = max(accuracy, 2 * chance, chance + 0.1), None
    for text in _USUAL_SCALINGS:
        for order in (parse_preprocessing(text) + shaping, shaping + parse_preprocessing(text)):
            try:
                scores = evaluator.run_all(order, _NUM_TRIED_INPUTS)
            except (RunError, SpecError):
                continue
            tried = targets[: len(scores)]
            found = describe_results(scores, kind, tried).correct / len(tried)
            if found > best:
                best, best_steps = found, order
    if best_steps is None:
        return "no usual scaling of the inputs helps, so check the weights, or that targets belong"
    return (
        f"--preprocess {format_preprocessing(best_steps) or chr(39) * 2} gives {best:.0%} on the "
        f"first {min(_NUM_TRIED_INPUTS, len(targets))} inputs"
    )
