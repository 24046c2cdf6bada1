import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bnbench import verification
from bnbench.errors import RunError
from bnbench.records import EnvironmentRecord, VerificationRecord
from bnbench.specs import StudySpec, TuningSpec
from bnbench.store import RunStore
from bnbench.verification import verify_run
from tests.conftest import SYNTHETIC, fake_record


@pytest.fixture
def store(
    tmp_path: Path,
    small_study: StudySpec,
    environment: EnvironmentRecord,
    monkeypatch: pytest.MonkeyPatch,
) -> RunStore:
    """A run with tuned, scored and timed trials; of the scored ones, one has failed."""

    def agree(models: Sequence[Path], data_folder: Path) -> Iterator[VerificationRecord]:
        for model in models:
            yield VerificationRecord(model.name, "libtorch", 9, 10, 0.9, 9, 0, 0.0, "agreed")

    monkeypatch.setattr(verification, "verify_models", agree)
    study = dataclasses.replace(small_study, tuning=TuningSpec((0.1,), (100,), 20))
    store = RunStore.create(tmp_path / "run", study, {"cpu": "native"}, SYNTHETIC, environment)
    rates = {("baseline", "cpu"): 0.1, ("batchnorm", "cpu"): 0.1}
    with store.locked():
        for trial in (
            *study.list_tuning_trials(store.engines),
            *study.list_scored_trials(store.engines, rates),
            *study.list_timed_trials(store.engines),
        ):
            failed = trial.purpose == "score" and trial.key == "baseline-seed1-cpu"
            store.append_trial(fake_record(trial, failed=failed))
            if trial.purpose == "score" and not failed:
                (store.models_folder / f"{trial.key}.pt").touch()
    return store


def test_each_model_of_a_finished_scored_trial_is_verified_once(store: RunStore) -> None:
    records = verify_run(store, Path("data"))
    assert [record.model for record in records] == [
        "baseline-seed0-cpu.pt",
        "baseline-seed2-cpu.pt",
        "batchnorm-seed0-cpu.pt",
        "batchnorm-seed1-cpu.pt",
        "batchnorm-seed2-cpu.pt",
    ]
    assert store.read_verification() == records


def test_a_model_that_is_gone_is_named(store: RunStore) -> None:
    (store.models_folder / "batchnorm-seed1-cpu.pt").unlink()
    with pytest.raises(RunError, match=r"batchnorm-seed1-cpu\.pt: required the model"):
        verify_run(store, Path("data"))


def test_a_run_without_a_finished_trial_has_nothing_to_verify(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    store = RunStore.create(
        tmp_path / "empty", small_study, {"cpu": "native"}, SYNTHETIC, environment
    )
    with pytest.raises(RunError, match="at least one finished trial to verify, found none"):
        verify_run(store, Path("data"))
