"""Holding every exported model of a run against its manifest, in another runtime."""

from __future__ import annotations

from pathlib import Path

from bnbench.errors import RunError
from bnbench.records import VerificationRecord
from bnbench.runtimes.libtorch import verify_models
from bnbench.store import RunStore


def verify_run(store: RunStore, data_folder: Path) -> list[VerificationRecord]:
    """Evaluate the run's models in C++ and write ``verification.csv``.

    Raises:
        RunError: the run has no model, or lacks that of a finished, scored trial.
        RuntimeUnavailableError, DataError: the program cannot be run, or refuses the data.
    """
    models = []
    for record in store.read_trials():
        # Only scored trials are exported.
        if record.status == "finished" and record.trial.purpose == "score":
            path = store.models_folder / f"{record.trial.key}.pt"
            if not path.exists():
                raise RunError(f"{path}: required the model of a finished trial, found none")
            models.append(path)
    if not models:
        raise RunError(
            f"{store.folder}: required at least one finished trial to verify, found none"
        )
    records = list(verify_models(models, data_folder))
    store.write_verification(records)
    return records
