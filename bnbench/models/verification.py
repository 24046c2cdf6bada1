"""The verification of a run's exported models: every model in every runtime, one table.

`agreement` decides what a difference means; `diagnosis` names its cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import BnbenchError, RunError
from bnbench.models.agreement import Reference, compare_logits, make_reference
from bnbench.models.diagnosis import diagnose_file, diagnose_logits
from bnbench.models.exported_model import ExportedModel, name_model_file, read_model
from bnbench.models.graph import UncoveredError
from bnbench.models.own_reference import make_own_reference
from bnbench.models.runtimes.interface import Evaluation, Runtime
from bnbench.record_tables import write_verification
from bnbench.records import CertificateRecord, TrialRecord, VerificationRecord
from bnbench.store import RunStore

MODELS_PER_CALL = 50
"""Models that are open at a time and given to a runtime in one call."""


def verify_run(
    store: RunStore,
    models: Mapping[Path, str],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    runtimes: Sequence[Runtime],
    on_model: Callable[[str], object] = lambda _: None,
) -> list[VerificationRecord]:
    """Do as `compare_models` and give the run ``certificates.csv`` and ``verification.csv``."""
    certificates, records = compare_models(models, images, labels, runtimes, on_model)
    write_verification(store.folder, certificates, records)
    return records


def compare_models(
    models: Mapping[Path, str],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    runtimes: Sequence[Runtime],
    on_model: Callable[[str], object] = lambda _: None,
) -> tuple[list[CertificateRecord], list[VerificationRecord]]:
    """Evaluate models in all runtimes, and compare every logit with binary64.

    `models` are as `list_models` gives them; `on_model` is called with the name of each model that
    is done.

    Raises:
        RuntimeUnavailableError: a runtime does not work on this machine.
        DataError: the C++ program refuses the test set.
    """
    certificates: list[CertificateRecord] = []
    records: list[VerificationRecord] = []
    diagnosed: set[tuple[str, str]] = set()
    paths = list(models)
    for first in range(0, len(paths), MODELS_PER_CALL):
        opened = []
        for path in paths[first : first + MODELS_PER_CALL]:
            try:
                opened.append(_open_intact(path))
            except BnbenchError as error:
                records += [
                    VerificationRecord(
                        path.name,
                        models[path],
                        runtime.name,
                        runtime.version,
                        status="unusable",
                        reason=str(error),
                    )
                    for runtime in runtimes
                ]
                on_model(path.name)
        answers = [runtime.evaluate(opened, images) for runtime in runtimes] if opened else []
        for model, *evaluations in zip(opened, *answers, strict=True):
            try:
                reference = make_reference(model, images, labels)
            except UncoveredError as error:
                reference = make_own_reference(model, images, labels, str(error))
            certificates.append(reference.record)
            for runtime, evaluation in zip(runtimes, evaluations, strict=True):
                records.append(_compare(reference, runtime, evaluation, images, diagnosed))
            on_model(model.name)
    order = {path.name: number for number, path in enumerate(paths)}
    records.sort(key=lambda record: order[record.model])
    return certificates, records


def list_models(folder: Path, trials: Iterable[TrialRecord]) -> dict[Path, str]:
    """The models of a run's trials, in their order, with the names of their variants.

    Only finished, scored trials have a model.

    Raises:
        RunError: the model of such a trial is missing, or there is no such trial.
    """
    models = {}
    for record in trials:
        if record.status == "finished" and record.trial.purpose == "score":
            path = folder / name_model_file(record.trial)
            if not path.exists():
                raise RunError(f"{path}: expected the model of a finished trial, got none")
            models[path] = record.trial.variant.name
    if not models:
        raise RunError(f"{folder}: expected at least one finished trial to verify, got none")
    return models


def _open_intact(path: Path) -> ExportedModel:
    """Open a model whose file is the one that was exported.

    Raises:
        RunError: it is another file, or it can't be read; the text names the fault.
    """
    model = read_model(path)
    fault = diagnose_file(model)
    if fault is not None:
        raise RunError(f"{fault.name}: {fault.text}")
    _ = model.network  # read now, so that what can't be read is refused here
    return model


def _compare(
    reference: Reference,
    runtime: Runtime,
    evaluation: Evaluation,
    images: NDArray[np.uint8],
    diagnosed: set[tuple[str, str]],
) -> VerificationRecord:
    """Compare one evaluation; `diagnosed` collects runtimes and variants with a diagnosis."""
    name, model, logits = runtime.name, reference.model, evaluation.logits
    variant = model.manifest.get_variant().name
    if logits is None:
        return VerificationRecord(
            model.name,
            variant,
            name,
            runtime.version,
            expected_correct=model.manifest.expected.correct,
            status="unusable",
            reason=evaluation.reason,
        )
    record = compare_logits(reference, name, runtime.version, logits)
    # All models of a variant suffer from the same fault; looking for it takes seconds.
    is_first = (name, variant) not in diagnosed
    comparable = logits.shape == reference.logits.shape and model.network.layers
    if record.status != "agreed" and comparable and is_first:
        diagnosed.add((name, variant))
        fault = diagnose_logits(reference, logits, images)
        if fault is not None:
            reason = f"{fault.name}: {fault.text} ({record.reason})"
            record = dataclasses.replace(record, reason=reason)
    if evaluation.status == "agreed":
        return record
    reasons = [text for text in (evaluation.reason, record.reason) if text]
    return dataclasses.replace(record, status=evaluation.status, reason="; ".join(reasons))
