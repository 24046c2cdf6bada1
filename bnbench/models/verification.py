"""Verifying a run's exported models: against their manifests, and across runtimes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import BnbenchError, RunError
from bnbench.models.agreement import Reference, compare_logits, make_reference
from bnbench.models.diagnosis import diagnose_file, diagnose_logits
from bnbench.models.manifest import read_manifest
from bnbench.models.runtimes import open_runtime
from bnbench.models.runtimes.interface import Runtime
from bnbench.models.runtimes.libtorch import verify_models
from bnbench.models.stored_network import StoredNetwork, read_stored_network
from bnbench.records import AgreementRecord, CertificateRecord, VerificationRecord
from bnbench.store import RunStore

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
    diagnosed: set[tuple[str, str]] = set()
    for path, variant in models.items():
        try:
            model = _open_model(path, variant, images, labels)
        except BnbenchError as error:
            agreements += [_refuse(path, variant, runtime, str(error)) for runtime in opened]
            on_model(path.name)
            continue
        certificates.append(model.reference.record)
        for runtime in opened:
            record, logits = _compare(model, runtime, images)
            # The first of a kind tells what all of them suffer from; looking takes seconds.
            if logits is not None and (runtime.name, variant) not in diagnosed:
                diagnosed.add((runtime.name, variant))
                record = _diagnose(model, record, logits, images, labels)
            agreements.append(record)
        on_model(path.name)
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
                raise RunError(f"{path}: expected the model of a finished trial, got none")
            models[path] = record.trial.variant.name
    if not models:
        raise RunError(f"{store.folder}: expected at least one finished trial to verify, got none")
    return models


@dataclass(frozen=True, eq=False)
class _Model:
    """An exported model whose file is the one that was exported."""

    path: Path
    manifest: dict[str, Any]
    network: StoredNetwork
    reference: Reference


def _open_model(
    path: Path, variant: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> _Model:
    """Read a model and its manifest, and hold the one against the other.

    Raises:
        RunError: the file is not the one that was exported; the text names the fault.
    """
    manifest = read_manifest(path.with_suffix(".json"))
    content = path.read_bytes()
    fault = diagnose_file(content, manifest, path.parent)
    if fault is not None:
        raise RunError(f"{fault.name}: {fault.text}")
    network = read_stored_network(content)
    reference = make_reference(path.name, variant, network, images, labels)
    return _Model(path, manifest, network, reference)


def _compare(
    model: _Model, runtime: Runtime, images: NDArray[np.uint8]
) -> tuple[AgreementRecord, NDArray[np.floating[Any]] | None]:
    """What a runtime makes of a model; its logits are given only where they need explaining."""
    reference = model.reference
    try:
        logits = runtime.load(model.path).logits(images)
    except RunError as error:
        return _refuse(model.path, reference.variant, runtime, str(error)), None
    record = compare_logits(reference, runtime.name, runtime.version, logits)
    comparable = record.status != "agreed" and logits.shape == reference.logits.shape
    return record, logits if comparable else None


def _diagnose(
    model: _Model,
    record: AgreementRecord,
    logits: NDArray[np.floating[Any]],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
) -> AgreementRecord:
    """The record with the fault's name before its reason, where there is one."""
    fault = diagnose_logits(
        model.network,
        model.manifest,
        logits,
        images,
        labels,
        certificate=model.reference.certificate,
        folder=model.path.parent,
    )
    if fault is None:
        return record
    return dataclasses.replace(record, reason=f"{fault.name}: {fault.text} ({record.reason})")


def _refuse(model: Path, variant: str, runtime: Runtime, reason: str) -> AgreementRecord:
    """A model that could not be evaluated."""
    unknown = (None,) * 7
    return AgreementRecord(
        model.name, variant, runtime.name, runtime.version, *unknown, "unusable", reason
    )
