"""The verification and inspection of a run's exported models, followed by an observer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.inspection import write_inspection
from bnbench.library.observer import RunObserver
from bnbench.models.inspection import inspect_run
from bnbench.models.runtimes import DEFAULT_RUNTIMES, open_runtime
from bnbench.models.runtimes.interface import Runtime
from bnbench.models.verification import compare_models, list_models, verify_run
from bnbench.records import TrialRecord, VerificationRecord
from bnbench.store import RunStore


def verify_models(
    store: RunStore,
    trials: Sequence[TrialRecord],
    dataset: Any,
    observer: RunObserver,
    names: Sequence[str] = DEFAULT_RUNTIMES,
) -> list[VerificationRecord]:
    """Verify and inspect the models of a run, and write what is found into its folder.

    Args:
        store: the run.
        trials: its trials; at least one that is scored has finished.
        dataset: the data set of the run.
        observer: is called as models are verified.
        names: runtimes, of `RUNTIMES`.
    """
    models = list_models(store.models_folder, trials)
    observer.start_models(len(models))
    verifications = verify_run(store, models, *_open(dataset, names), observer.finish_model)
    inspection = inspect_run(store.models_folder, store.study, trials, dataset)
    write_inspection(store.folder, inspection)
    return verifications


def verify_model(
    path: Path, variant: str, dataset: Any, names: Sequence[str]
) -> list[VerificationRecord]:
    """Verify one exported model, of a variant, without writing anything."""
    return compare_models({path: variant}, *_open(dataset, names))[1]


def _open(
    dataset: Any, names: Sequence[str]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[Runtime]]:
    """The test images, their labels and the runtimes by these names."""
    images, labels = dataset.test.inputs.numpy(), dataset.test.labels.numpy()
    return images, labels, [open_runtime(name, dataset.folder) for name in names]
