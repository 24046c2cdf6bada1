"""Verifying a run's exported models: against their manifests, and across runtimes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.agreement import Reference, compare_logits, make_reference
from bnbench.errors import BnbenchError, RunError
from bnbench.manifests import read_manifest
from bnbench.records import AgreementRecord, CertificateRecord, VerificationRecord
from bnbench.runtimes import open_runtime
from bnbench.runtimes.interface import Runtime
from bnbench.runtimes.libtorch import verify_models
from bnbench.store import RunStore
from bnbench.stored_network import read_stored_network

ModelObserver = Callable[[str], None]
"""Called with the name of each model that is done."""


def ignore_model(name: str) -> None:
    """Tell nobody."""


def verify_manifests(store: RunStore, data_folder: Path) -> list[VerificationRecord]:
    """Evaluate the run's models in C++, hold each against its manifest, write the table.

    Raises:
        RunError: the run has no model, or lacks that of a finished, scored trial.
        RuntimeUnavailableError, DataError: the program cannot be run, or refuses the data.
    """
    records = list(verify_models(list(list_models(store)), data_folder))
    store.write_verification(records)
    return records


def verify_runtimes(
    store: RunStore,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    data_folder: Path,
    runtimes: Sequence[str],
    on_model: ModelObserver = ignore_model,
) -> list[AgreementRecord]:
    """Evaluate the run's models in `runtimes`, hold every logit against binary64, write tables.

    Args:
        store: the run.
        images: the test images, uint8, shape (num_images, 28, 28).
        labels: their classes, uint8, shape (num_images,).
        data_folder: where runtimes that read the test set by themselves find it.
        runtimes: names of installed runtimes.
        on_model: told after each model.

    Raises:
        RunError: the run has no model, or lacks that of a finished, scored trial.
        RuntimeUnavailableError: a runtime is not installed or not usable.
    """
    models = list_models(store)
    opened = [open_runtime(name, list(models), data_folder) for name in runtimes]
    certificates: list[CertificateRecord] = []
    agreements: list[AgreementRecord] = []
    for model, variant in models.items():
        try:
            reference = _read_reference(model, variant, images, labels)
        except BnbenchError as error:
            agreements += [_refuse(model, variant, runtime, str(error)) for runtime in opened]
        else:
            certificates.append(reference.record)
            agreements += [_compare(model, runtime, reference, images) for runtime in opened]
        on_model(model.name)
    store.write_agreement(certificates, agreements)
    return agreements


def list_models(store: RunStore) -> dict[Path, str]:
    """The exported models of a run, in the order of its trials, with the names of their variants.

    Raises:
        RunError: the run has no model, or lacks that of a finished, scored trial.
    """
    models = {}
    for record in store.read_trials():
        # Only scored trials are exported.
        if record.status == "finished" and record.trial.purpose == "score":
            path = store.models_folder / f"{record.trial.key}.pt"
            if not path.exists():
                raise RunError(f"{path}: required the model of a finished trial, found none")
            models[path] = record.trial.variant.name
    if not models:
        raise RunError(
            f"{store.folder}: required at least one finished trial to verify, found none"
        )
    return models


def _read_reference(
    model: Path, variant: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> Reference:
    manifest: dict[str, Any] = read_manifest(model.with_suffix(".json"))
    content = model.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != manifest["model"]["sha256"]:
        raise RunError(
            f"required the file of its manifest, SHA-256 {manifest['model']['sha256']}, found "
            f"{found}; export the model again"
        )
    return make_reference(model.name, variant, read_stored_network(content), images, labels)


def _compare(
    model: Path, runtime: Runtime, reference: Reference, images: NDArray[np.uint8]
) -> AgreementRecord:
    try:
        logits = runtime.load(model).logits(images)
    except RunError as error:
        return _refuse(model, reference.variant, runtime, str(error))
    return compare_logits(reference, runtime.name, runtime.version, logits)


def _refuse(model: Path, variant: str, runtime: Runtime, reason: str) -> AgreementRecord:
    """A model that could not be evaluated."""
    unknown = (None,) * 7
    return AgreementRecord(
        model.name, variant, runtime.name, runtime.version, *unknown, "unusable", reason
    )
