import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.data import Dataset
from bnbench.errors import RunError
from bnbench.models.exported_model import ExportedModel
from bnbench.models.reference import compute_logits
from bnbench.models.runtimes import DEFAULT_RUNTIMES, open_runtime
from bnbench.models.runtimes.interface import Evaluation, Runtime
from bnbench.models.verification import MODELS_PER_CALL, list_models, verify_run
from bnbench.networks import build_network
from bnbench.record_tables import read_verification
from bnbench.records import EnvironmentRecord, VerificationRecord
from bnbench.specs import StudySpec, TuningSpec
from bnbench.store import RunStore
from tests.conftest import SYNTHETIC, export_model, fake_record

MODELS = [
    "baseline-seed0-cpu.pt",
    "baseline-seed2-cpu.pt",
    "batchnorm-seed0-cpu.pt",
    "batchnorm-seed1-cpu.pt",
    "batchnorm-seed2-cpu.pt",
]


class FakeRuntime(Runtime):
    """Gives what `answer` makes of a model's logits in binary64."""

    name, version = "fake", "1"

    def __init__(self, answer: Callable[[NDArray[np.float64]], Evaluation] = Evaluation) -> None:
        self.answer = answer
        self.calls: list[int] = []

    def evaluate(
        self, models: Sequence[ExportedModel], images: NDArray[np.uint8]
    ) -> Iterator[Evaluation]:
        self.calls.append(len(models))
        for model in models:
            yield self.answer(compute_logits(model.network, images))


@pytest.fixture
def store(tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord) -> RunStore:
    """A run with tuned, scored and timed trials; of the scored ones, one has failed."""
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


def list_of(store: RunStore) -> dict[Path, str]:
    return list_models(store.models_folder, store.read_trials())


def test_the_models_are_those_of_finished_scored_trials(store: RunStore) -> None:
    models = list_of(store)
    assert [path.name for path in models] == MODELS
    assert list(models.values()) == ["baseline"] * 2 + ["batchnorm"] * 3


def test_a_model_that_is_gone_is_named(store: RunStore) -> None:
    (store.models_folder / "batchnorm-seed1-cpu.pt").unlink()
    with pytest.raises(RunError, match=r"batchnorm-seed1-cpu\.pt: expected the model"):
        list_of(store)


def test_a_run_without_a_finished_trial_has_nothing_to_verify() -> None:
    with pytest.raises(RunError, match="at least one finished trial to verify, got none"):
        list_models(Path("models"), [])


@pytest.fixture
def exported(store: RunStore, synthetic_dataset: Dataset) -> RunStore:
    """The run with real models of untrained networks."""
    for record in store.read_trials():
        if record.trial.purpose == "score" and record.status == "finished":
            torch.manual_seed(record.trial.seed)
            state = build_network(record.trial.variant).state_dict()
            export_model(record, state, synthetic_dataset.test, store.models_folder)
    return store


def verify(store: RunStore, dataset: Dataset, *runtimes: Runtime) -> list[VerificationRecord]:
    images, labels = dataset.test.inputs.numpy(), dataset.test.labels.numpy()
    return verify_run(store, list_of(store), images, labels, runtimes)


def test_there_is_a_row_for_every_model_in_every_runtime(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    assert synthetic_dataset.folder is not None
    runtimes = [open_runtime(name, synthetic_dataset.folder) for name in DEFAULT_RUNTIMES]
    records = verify(exported, synthetic_dataset, *runtimes)
    rows = [(record.model, record.runtime) for record in records]
    assert rows == [(model, runtime) for model in MODELS for runtime in DEFAULT_RUNTIMES]
    assert {(record.status, record.differing) for record in records} == {("agreed", 0)}
    assert all(record.correct == record.expected_correct for record in records)
    certificates, verifications = read_verification(exported.folder)
    assert verifications == records
    assert [certificate.model for certificate in certificates] == MODELS
    assert all(c.total == 100 and c.certified is not None for c in certificates)


def test_the_observer_is_called_after_each_model(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    seen: list[str] = []
    test = synthetic_dataset.test
    images, labels = test.inputs.numpy(), test.labels.numpy()
    verify_run(exported, list_of(exported), images, labels, [FakeRuntime()], seen.append)
    assert seen == MODELS


def test_a_runtime_is_called_once_for_many_models(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    runtime = FakeRuntime()
    verify(exported, synthetic_dataset, runtime)
    assert len(MODELS) <= MODELS_PER_CALL
    assert runtime.calls == [len(MODELS)]


def test_an_altered_model_is_not_evaluated_and_all_others_are(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    path = exported.models_folder / "baseline-seed2-cpu.pt"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    records = verify(exported, synthetic_dataset, FakeRuntime())
    assert [record.model for record in records] == MODELS
    (unusable,) = [record for record in records if record.status != "agreed"]
    assert (unusable.model, unusable.variant, unusable.correct) == (path.name, "baseline", None)
    assert "file_damaged: " in str(unusable.reason)
    assert len(read_verification(exported.folder)[0]) == 4


def test_what_the_runtime_says_of_the_manifest_wins(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    runtime = FakeRuntime(lambda logits: Evaluation(logits, "disagreed", "2 predictions differ"))
    record = verify(exported, synthetic_dataset, runtime)[0]
    assert (record.status, record.reason) == ("disagreed", "2 predictions differ")
    assert (record.differing, record.total) == (0, 100)


def test_a_model_that_a_runtime_cannot_evaluate_is_unusable_with_its_reason(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    runtime = FakeRuntime(lambda _: Evaluation(None, "unusable", "no such operator"))
    record = verify(exported, synthetic_dataset, runtime)[0]
    assert (record.status, record.reason) == ("unusable", "no such operator")
    assert (record.total, record.correct) == (None, None)


def test_other_logits_are_found_and_the_first_of_each_variant_is_diagnosed(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    def shift(logits: NDArray[np.float64]) -> Evaluation:
        logits[3, 7] += 0.5
        logits[4, 8] -= 0.3
        return Evaluation(logits)

    records = verify(exported, synthetic_dataset, FakeRuntime(shift))
    assert {record.status for record in records} == {"disagreed"}
    assert all("logits of 2 images" in str(record.reason) for record in records)
    named = [record.model for record in records if "unknown: no mistake" in str(record.reason)]
    assert named == ["baseline-seed0-cpu.pt", "batchnorm-seed0-cpu.pt"]


def test_a_fault_of_a_runtime_is_named(exported: RunStore, synthetic_dataset: Dataset) -> None:
    runtime = FakeRuntime(lambda logits: Evaluation(np.roll(logits, 1, axis=1)))
    records = verify(exported, synthetic_dataset, runtime)
    assert str(records[0].reason).startswith("classes_permuted: ")
