"""Studies on tiny data, by the reference engine, without the C++ program."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bnbench.data import Dataset
from bnbench.library.observer import RunObserver
from bnbench.records import TrialRecord, VerificationRecord
from bnbench.store import RunStore


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch, synthetic_dataset: Dataset) -> list[str]:
    """Let studies train on tiny data, and record which runs are verified in place of doing it."""
    found: list[str] = []

    def verify(
        store: RunStore, records: Sequence[TrialRecord], _dataset: Dataset, observer: RunObserver
    ) -> list[VerificationRecord]:
        found.append(store.folder.name)
        observer.start_models(len(records))
        store.write_bytes("verification.csv", b"")
        return []

    monkeypatch.setattr("bnbench.data_readers.load_data", lambda *_: synthetic_dataset)
    monkeypatch.setattr("bnbench.models.runtimes.libtorch.find_binary", lambda: None)
    monkeypatch.setattr("bnbench.library.verification.verify_models", verify)
    return found
