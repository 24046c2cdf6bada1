"""The verification of one sealed model: every runtime that can run it against its manifest.

`verification` is for the models of a run, which are compared with binary64 as well.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.array_files import StoredArray
from bnbench.array_hash import hash_as_idx, hash_values
from bnbench.errors import BnbenchError, DataError, RunError, RuntimeUnavailableError, SpecError
from bnbench.models.certificate import Certificate, Refusal, bound_model
from bnbench.models.expectation import predict
from bnbench.models.exported_model import ExportedModel
from bnbench.models.manifest import Manifest
from bnbench.models.neighbors import find_neighbor_fault, find_tolerance
from bnbench.models.runtimes.program import find_program
from bnbench.records import VerificationStatus

PROBE_TOLERANCE = 1e-4
"""Allowed difference of the probes' scores, relative to max(1, the largest), as in the program."""
FLOAT32_EPSILON = 2.0**-23


@dataclass(frozen=True)
class SealedRuntime:
    """Which models a runtime can run, and by which program; without one it runs in this process."""

    format: str
    program: str | None = None
    package: str = "torch"

    @property
    def is_installed(self) -> bool:
        """Whether its program or package is there."""
        if self.program is None:
            return importlib.util.find_spec(self.package) is not None
        try:
            find_program(self.program)
        except RuntimeUnavailableError:
            return False
        return True


SEALED_RUNTIMES = {
    "torchscript": SealedRuntime("torchscript"),
    "libtorch": SealedRuntime("torchscript", "bnbench-eval"),
    "eager": SealedRuntime("pt2"),
    "portable": SealedRuntime("pt2", "bnbench-eval-portable"),
    "onnxruntime": SealedRuntime("onnx", package="onnxruntime"),
}
"""In the order in which they are shown."""


@dataclass(frozen=True)
class SealedRecord:
    """What one runtime gave, compared with the manifest."""

    runtime: str
    status: VerificationStatus
    version: str | None = None
    correct: int | None = None
    differing: int | None = None
    """Predictions that differ from the manifest's."""
    explained: int | None = None
    """Those that rounding in a type of 16 bits explains."""
    max_abs_diff: float | None = None
    """Largest difference of the probes' scores; None for labels."""
    allowed_diff: float | None = None
    max_bound_share: float | None = None
    """Largest difference from binary64 as a share of its bound; None if no bound covers it."""
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class SealedData:
    """What a sealed model is evaluated on, and how a program finds it."""

    inputs: StoredArray
    targets: NDArray[np.int64]
    options: tuple[str, ...]
    """Options that give a program the same data."""


def choose_sealed_runtimes(manifest: Manifest, names: str | None) -> tuple[str, ...]:
    """The installed runtimes for a model's format, or those that a text such as ``libtorch`` names.

    Raises:
        SpecError: a name is unknown, or its runtime can't run this format.
        RuntimeUnavailableError: a runtime that was named, or every one, is not installed.
    """
    able = [name for name, r in SEALED_RUNTIMES.items() if r.format == manifest.model.format]
    chosen = able if names in (None, "all") else [part.strip() for part in str(names).split(",")]
    for name in chosen:
        if name not in able:
            raise SpecError(
                f"runtimes: expected some of {', '.join(able)} for {manifest.model.format}, got "
                f"{name!r}"
            )
    installed = tuple(name for name in chosen if SEALED_RUNTIMES[name].is_installed)
    if not installed or (names not in (None, "all") and len(installed) < len(chosen)):
        raise RuntimeUnavailableError(
            f"runtimes: expected {', '.join(chosen)} to be installed, got "
            f"{', '.join(installed) or 'none'}"
        )
    return installed


def require_sealed_data(manifest: Manifest, data: SealedData) -> None:
    """Refuse data that are not those of a manifest.

    Raises:
        DataError: type, shape or a hash of inputs or targets differs.
    """
    inputs, stored = data.inputs, manifest.input
    if (inputs.dtype, inputs.values.shape[1:]) != (stored.dtype, stored.shape):
        raise DataError(
            f"inputs: expected {stored.dtype} of shape {stored.shape} each, got {inputs.dtype} of "
            f"{inputs.values.shape[1:]}; name the file by --inputs"
        )
    small = data.targets.astype(np.uint8)
    as_idx = hash_as_idx(small) if (small == data.targets).all() else None
    hashes = {
        "inputs": (hash_values(inputs.values), hash_as_idx(inputs.values)),
        "targets": (hash_values(data.targets), as_idx),
    }
    for name, found in hashes.items():
        expected = getattr(manifest.data, f"{name}_sha256")
        if expected not in found:
            raise DataError(
                f"{name}: expected those of the manifest ({manifest.data.name}), SHA-256 "
                f"{expected}, got {found[0]}; name the file by --{name}"
            )


def verify_sealed(
    model: ExportedModel, manifest_path: Path, data: SealedData, names: Sequence[str]
) -> tuple[Certificate | Refusal, list[SealedRecord]]:
    """Evaluate a model in runtimes; compare each with its manifest and, if there is one, a bound.

    Args:
        model: one whose file is the one in its manifest.
        manifest_path: for programs, which read it themselves.
        data: as `require_sealed_data` accepts them.
        names: keys of `SEALED_RUNTIMES`.
    """
    proof = _find_bound(model, data.inputs)
    records = []
    for name in names:
        program = SEALED_RUNTIMES[name].program
        try:
            if program is None:
                records.append(_verify_here(name, model, data, proof))
            else:
                records.append(_verify_by_program(name, program, model, manifest_path, data, proof))
        except BnbenchError as error:
            records.append(SealedRecord(name, "unusable", reason=str(error)))
    return proof, records


def _find_bound(model: ExportedModel, inputs: StoredArray) -> Certificate | Refusal:
    """The bound on the scores, or why there is none."""
    kind = model.manifest.output.kind
    if kind == "labels" or inputs.dtype == "bfloat16":
        return Refusal("not covered", f"output: expected scores in float32, got {kind}")
    try:
        return bound_model(model, inputs.values)
    except RunError:
        return Refusal(
            "not covered",
            "expected a torch.export archive, or TorchScript of a plain stack of layers, got other "
            "code; seal a .pt2 of the same network",
        )


def _measure_share(proof: Certificate | Refusal, scores: NDArray[np.float32]) -> float | None:
    if not isinstance(proof, Certificate) or proof.logits.shape != scores.shape:
        return None
    return float((np.abs(scores - proof.logits) / proof.logit_bounds).max())


def _verify_here(
    name: str, model: ExportedModel, data: SealedData, proof: Certificate | Refusal
) -> SealedRecord:
    from bnbench.models.classifiers import open_classifier  # programs need no torch here
    from bnbench.models.evaluator import Evaluator

    manifest = model.manifest
    classifier = open_classifier(model.content, model.name)
    evaluator = Evaluator(
        classifier, data.inputs, manifest.input.preprocessing, manifest.output.element, model.name
    )
    scores = evaluator.run_all()
    is_labels = manifest.output.kind == "labels"
    if evaluator.is_floating == is_labels or scores.shape[1] != (
        1 if is_labels else manifest.output.num_classes
    ):
        raise RunError(
            f"{model.name}: expected the output of its manifest, got {scores.shape[1]} numbers per "
            "input"
        )
    fault = find_neighbor_fault(scores, is_labels, evaluator.epsilon, evaluator.run)
    found = compare_expectation(manifest, scores, evaluator.epsilon)
    version = ", ".join(f"{key} {value}" for key, value in classifier.software.items())
    training = classifier.training_fault and (
        f"`{classifier.training_fault}`: expected evaluation mode, got training mode"
    )
    reasons = [text for text in (training or fault, found.reason) if text]
    share = _measure_share(proof, scores)
    if share is not None and share > 1:
        reasons.append(f"scores: expected within their bound, got {share:.3g} times as far")
    return SealedRecord(
        name,
        "disagreed" if reasons else "agreed",
        version,
        int((predict(scores, manifest.output.kind) == data.targets).sum()),
        found.differing,
        found.explained,
        found.max_abs_diff,
        found.allowed_diff,
        share,
        "; ".join(reasons) or None,
    )


@dataclass(frozen=True)
class ExpectationRecord:
    """How far scores are from what a manifest expects."""

    differing: int
    explained: int
    max_abs_diff: float | None
    allowed_diff: float | None
    reason: str | None


def compare_expectation(
    manifest: Manifest, scores: NDArray[np.float32], epsilon: float
) -> ExpectationRecord:
    """Compare predictions and probes with a manifest, as the C++ program does.

    Args:
        manifest: with the expectation.
        scores: float32, shape (num_inputs, num_classes), or (num_inputs, 1) for labels.
        epsilon: machine epsilon of the model's coarsest type. Above that of float32 a prediction
            may differ if its lead is within twice what is allowed.
    """
    expected, kind = manifest.expected, manifest.output.kind
    if len(scores) != expected.total:
        raise DataError(f"inputs: expected {expected.total:,}, got {len(scores):,}")
    predictions, classes = predict(scores, kind), np.array(expected.predictions)
    differs = np.flatnonzero(predictions != classes)
    largest = allowed = None
    explained = 0
    if expected.probes is not None:
        rows = np.array(expected.probes.logits)
        largest = float(np.abs(scores[list(expected.probes.indices)] - rows).max())
        is_coarse = epsilon > FLOAT32_EPSILON
        tolerance = max(PROBE_TOLERANCE, find_tolerance(epsilon) if is_coarse else 0)
        allowed = tolerance * max(1.0, float(np.abs(rows).max()))
        if is_coarse:
            leads = scores[differs, predictions[differs]] - scores[differs, classes[differs]]
            explained = int((leads <= 2 * allowed).sum())
    reasons = []
    if len(differs) > explained:
        named = " ".join(map(str, differs[:5]))
        reasons.append(
            f"predictions: expected those of the manifest, got {len(differs) - explained} of "
            f"{expected.total} that differ (input {named})"
        )
    if largest is not None and allowed is not None and largest > allowed:
        reasons.append(
            f"probe scores: expected a difference of at most {allowed:.3g}, got {largest:.3g}"
        )
    return ExpectationRecord(len(differs), explained, largest, allowed, "; ".join(reasons) or None)


def _verify_by_program(
    name: str,
    program: str,
    model: ExportedModel,
    manifest_path: Path,
    data: SealedData,
    proof: Certificate | Refusal,
) -> SealedRecord:
    has_bound = isinstance(proof, Certificate)
    with tempfile.TemporaryDirectory(prefix="bnbench-") as folder:
        output = Path(folder) / "logits.npy"
        options = [*data.options, "--expect", str(manifest_path), "--json"]
        if has_bound:
            options += ["--logits", str(output)]
        command = [str(find_program(program)), str(model.path), *options]
        result = subprocess.run(command, capture_output=True, text=True)
        try:
            answer: dict[str, Any] = json.loads(result.stdout)
        except ValueError:
            raise RuntimeUnavailableError(
                f"{program}: expected an answer in JSON, got exit code {result.returncode} and: "
                f"{result.stderr.strip() or 'nothing'}"
            ) from None
        if answer["error"]:
            raise DataError(str(answer["error"]))
        (found,) = answer["models"]
        usable = found["status"] != "unusable"
        share = _measure_share(proof, np.load(output)) if has_bound and usable else None
    status, reason = found["status"], found["reason"]
    if share is not None and share > 1:
        status = "disagreed"
        beyond = f"scores: expected within their bound, got {share:.3g} times as far"
        reason = f"{reason}; {beyond}" if reason else beyond
    return SealedRecord(
        name,
        status,
        f"{answer['runtime']} {answer.get('runtime_version') or ''}".strip(),
        found["correct"],
        found["disagreements"],
        found["explained"],
        found["max_abs_logit_diff"],
        None,
        share,
        reason,
    )
