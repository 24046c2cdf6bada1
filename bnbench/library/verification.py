"""The verification and inspection of a run's exported models, followed by an observer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bnbench.inspection import write_inspection
from bnbench.library.observer import RunObserver
from bnbench.models.inspection import inspect_run
from bnbench.models.runtimes import DEFAULT_RUNTIMES, open_runtime
from bnbench.models.runtimes.interface import Runtime
from bnbench.models.runtimes.test_files import provide_test_files
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
    with _open(dataset, names) as opened:
        verifications = verify_run(store, models, *opened, observer.finish_model)
    inspection = inspect_run(store.models_folder, store.study, trials, dataset)
    write_inspection(store.folder, inspection)
    return verifications


def verify_model(
    path: Path, variant: str, dataset: Any, names: Sequence[str]
) -> list[VerificationRecord]:
    """Verify one exported model, of a variant, without writing anything."""
    with _open(dataset, names) as opened:
        return compare_models({path: variant}, *opened)[1]


@contextlib.contextmanager
def _open(
    dataset: Any, names: Sequence[str]
) -> Iterator[tuple[NDArray[Any], NDArray[Any], list[Runtime]]]:
    """Yield the test inputs, their labels and the runtimes by these names."""
    inputs, labels = dataset.test.inputs.numpy(), dataset.test.labels.numpy()
    with provide_test_files(dataset.folder, inputs, labels) as folder:
        yield inputs, labels, [open_runtime(name, folder) for name in names]
