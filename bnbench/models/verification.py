"""The verification of a run's exported models: every model in every runtime, one table.

`agreement` decides what a difference means; `diagnosis` names its cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import BnbenchError, RunError
from bnbench.models.agreement import Reference, compare_logits, make_reference
from bnbench.models.diagnosis import diagnose_file, diagnose_logits
from bnbench.models.exported_model import ExportedModel, name_model_file, read_model
from bnbench.models.runtimes.interface import Evaluation, Runtime
from bnbench.record_tables import write_verification
from bnbench.records import CertificateRecord, TrialRecord, VerificationRecord
from bnbench.store import RunStore

ModelObserver = Callable[[str], None]
"""Called with the name of each model that is done."""
MODELS_PER_CALL = 50
"""Models that are open at a time and given to a runtime in one call."""


def ignore_model(name: str) -> None:
    """Observe nothing."""


def verify_run(
    store: RunStore,
    models: Mapping[Path, str],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    runtimes: Sequence[Runtime],
    on_model: ModelObserver = ignore_model,
) -> list[VerificationRecord]:
    """Evaluate models in all runtimes, compare every logit with binary64, write both tables.

    Args:
        store: the run, which gets ``certificates.csv`` and ``verification.csv``.
        models: as `list_models` gives them.
        images: the test images, uint8, shape (num_images, 28, 28).
        labels: their classes, uint8, shape (num_images,).
        runtimes: as `open_runtime` opens them.
        on_model: called after each model.

    Raises:
        RuntimeUnavailableError: a runtime does not work on this machine.
        DataError: the C++ program refuses the test set.
    """
    verifier = _Verifier(images, labels, runtimes)
    paths = list(models)
    for first in range(0, len(paths), MODELS_PER_CALL):
        opened = []
        for path in paths[first : first + MODELS_PER_CALL]:
            try:
                opened.append(_open_intact(path))
            except BnbenchError as error:
                verifier.refuse(path.name, models[path], str(error))
                on_model(path.name)
        for model in verifier.verify(opened):
            on_model(model.name)
    order = {path.name: number for number, path in enumerate(paths)}
    records = sorted(verifier.records, key=lambda record: order[record.model])
    write_verification(store.folder, verifier.certificates, records)
    return records


def list_models(folder: Path, trials: Iterable[TrialRecord]) -> dict[Path, str]:
    """The models of a run's trials, in their order, with the names of their variants.

    Args:
        folder: where the run's models lie.
        trials: the run's; only finished, scored trials have a model.

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
    _ = model.network, model.variant  # read now, so that what can't be read is refused here
    return model


class _Verifier:
    """Collects the records of models in all runtimes."""

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[np.uint8], runtimes: Sequence[Runtime]
    ) -> None:
        self._images, self._labels, self._runtimes = images, labels, runtimes
        self._diagnosed: set[tuple[str, str]] = set()
        self.certificates: list[CertificateRecord] = []
        self.records: list[VerificationRecord] = []

    def refuse(self, model: str, variant: str, reason: str) -> None:
        """Record a model that is given to no runtime."""
        self.records += [
            VerificationRecord(
                model, variant, runtime.name, runtime.version, status="unusable", reason=reason
            )
            for runtime in self._runtimes
        ]

    def verify(self, models: Sequence[ExportedModel]) -> Iterator[ExportedModel]:
        """Record models in all runtimes; yields each model that is done."""
        if not models:
            return
        answers = [runtime.evaluate(models, self._images) for runtime in self._runtimes]
        for model, *evaluations in zip(models, *answers, strict=True):
            reference = make_reference(model, self._images, self._labels)
            self.certificates.append(reference.record)
            for runtime, evaluation in zip(self._runtimes, evaluations, strict=True):
                self.records.append(self._compare(model, reference, runtime, evaluation))
            yield model

    def _compare(
        self, model: ExportedModel, reference: Reference, runtime: Runtime, evaluation: Evaluation
    ) -> VerificationRecord:
        name, version, logits = runtime.name, runtime.version, evaluation.logits
        if logits is None:
            return VerificationRecord(
                reference.model,
                reference.variant,
                name,
                version,
                expected_correct=reference.expected_correct,
                status="unusable",
                reason=evaluation.reason,
            )
        record = compare_logits(reference, name, version, logits)
        # All models of a variant suffer from the same fault; looking for it takes seconds.
        is_first = (name, reference.variant) not in self._diagnosed
        comparable = logits.shape == reference.logits.shape
        if record.status != "agreed" and comparable and is_first:
            self._diagnosed.add((name, reference.variant))
            fault = diagnose_logits(model, reference, logits, self._images)
            if fault is not None:
                reason = f"{fault.name}: {fault.text} ({record.reason})"
                record = dataclasses.replace(record, reason=reason)
        if evaluation.status == "agreed":
            return record
        reasons = [text for text in (evaluation.reason, record.reason) if text]
        return dataclasses.replace(record, status=evaluation.status, reason="; ".join(reasons))
