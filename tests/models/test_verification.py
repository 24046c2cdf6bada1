import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from bnbench.data import Dataset
from bnbench.errors import RunError, RuntimeUnavailableError
from bnbench.models import reference, verification
from bnbench.models.export import export_model
from bnbench.models.runtimes import RUNTIMES, RuntimeEntry
from bnbench.models.verification import list_models, verify_manifests, verify_runtimes
from bnbench.networks import build_network
from bnbench.records import AgreementRecord, EnvironmentRecord, VerificationRecord
from bnbench.specs import StudySpec, TuningSpec
from bnbench.store import RunStore
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
    records = verify_manifests(store, Path("data"))
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
    with pytest.raises(RunError, match=r"batchnorm-seed1-cpu\.pt: expected the model"):
        verify_manifests(store, Path("data"))


def test_a_run_without_a_finished_trial_has_nothing_to_verify(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    store = RunStore.create(
        tmp_path / "empty", small_study, {"cpu": "native"}, SYNTHETIC, environment
    )
    with pytest.raises(RunError, match="at least one finished trial to verify, got none"):
        verify_manifests(store, Path("data"))


@pytest.fixture
def exported(store: RunStore, synthetic_dataset: Dataset) -> RunStore:
    """The run with real models of untrained networks."""
    for record in store.read_trials():
        if record.trial.purpose == "score" and record.status == "finished":
            torch.manual_seed(record.trial.seed)
            state = build_network(record.trial.variant).state_dict()
            export_model(record, state, "synthetic", synthetic_dataset.test, store.models_folder)
    return store


def compare_all(
    store: RunStore, dataset: Dataset, runtimes: Sequence[str] = ("eager", "float64")
) -> list[AgreementRecord]:
    assert dataset.folder is not None
    test = dataset.test
    return verify_runtimes(
        store, test.images.numpy(), test.labels.numpy(), dataset.folder, runtimes
    )


def test_every_model_is_compared_in_every_runtime(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    records = compare_all(exported, synthetic_dataset, ("eager", "torchscript", "libtorch"))
    assert len(records) == 5 * 3
    assert {(record.status, record.differing) for record in records} == {("agreed", 0)}
    assert {record.variant for record in records} == {"baseline", "batchnorm"}
    assert exported.read_agreement() == records
    certificates = exported.read_certificates()
    assert [c.model for c in certificates] == [path.name for path in list_models(exported)]
    assert all(c.total == 100 and c.certified is not None for c in certificates)


def test_the_observer_hears_of_each_model_as_it_is_done(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    heard: list[str] = []
    test, folder = synthetic_dataset.test, synthetic_dataset.folder
    assert folder is not None
    verify_runtimes(
        exported, test.images.numpy(), test.labels.numpy(), folder, ["float64"], heard.append
    )
    assert heard == [path.name for path in list_models(exported)]


def test_an_altered_model_is_not_evaluated_and_keeps_no_other_from_it(
    exported: RunStore, synthetic_dataset: Dataset
) -> None:
    path = exported.models_folder / "baseline-seed2-cpu.pt"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    records = compare_all(exported, synthetic_dataset)
    unusable = [record for record in records if record.status != "agreed"]
    assert [(r.model, r.runtime, r.variant) for r in unusable] == [
        (path.name, "eager", "baseline"),
        (path.name, "float64", "baseline"),
    ]
    assert all(r.correct is None and "file_damaged: " in str(r.reason) for r in unusable)
    assert len(exported.read_certificates()) == 4


def test_a_runtime_that_gives_other_logits_is_found(
    exported: RunStore, synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_logits = reference.compute_logits

    class Off:
        name, version = "off", "1"

        def load(self, model: Path) -> object:
            network = reference.read_stored_network(model.read_bytes())

            class Model:
                def logits(self, images: np.ndarray) -> np.ndarray:
                    logits = true_logits(network, images)
                    logits[3, 7] += 0.5
                    logits[4, 8] -= 0.3
                    return logits

            return Model()

    monkeypatch.setattr(verification, "open_runtime", lambda *_: Off())
    records = compare_all(exported, synthetic_dataset, ["off"])
    assert {record.status for record in records} == {"disagreed"}
    assert all("logits of 2 images" in str(record.reason) for record in records)
    # Of each variant the first is explained, which takes a while; the others suffer from the same.
    named = [record.model for record in records if "unknown: no mistake" in str(record.reason)]
    assert named == ["baseline-seed0-cpu.pt", "batchnorm-seed0-cpu.pt"]


def test_a_runtime_that_scales_pixels_in_its_own_way_is_told_so(
    exported: RunStore, synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unscaled:
        name, version = "unscaled", "1"

        def load(self, model: Path) -> object:
            module = torch.jit.load(str(model))

            class Model:
                def logits(self, images: np.ndarray) -> np.ndarray:
                    with torch.inference_mode():
                        return module(torch.tensor(images).unsqueeze(1).float()).numpy()

            return Model()

    monkeypatch.setattr(verification, "open_runtime", lambda *_: Unscaled())
    records = compare_all(exported, synthetic_dataset, ["unscaled"])
    assert str(records[0].reason).startswith("pixels_scaled: ")


def test_a_runtime_that_is_not_installed_is_an_error(
    exported: RunStore, synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = RuntimeEntry(
        "bnbench.models.runtimes.nowhere", ("a_package_of_nobody",), "pip install it"
    )
    monkeypatch.setitem(RUNTIMES, "nowhere", entry)
    with pytest.raises(RuntimeUnavailableError, match=r"nowhere: not installed; pip install it"):
        compare_all(exported, synthetic_dataset, ["nowhere"])
