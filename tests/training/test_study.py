import dataclasses
import resource
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from bnbench.data import Dataset
from bnbench.models.exported_model import read_model
from bnbench.records import ChosenRateRecord, EnvironmentRecord, TrialRecord
from bnbench.specs import EngineName, StudySpec, TimingSpec, TrialSpec, TuningSpec
from bnbench.store import RunStore
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import (
    Engine,
    EpochObserver,
    TrainedTrial,
    TrialReceiver,
)
from bnbench.training.executors.in_process import InProcessExecutor
from bnbench.training.study import run_study
from bnbench.tuning import choose_rates
from tests.conftest import REFERENCE, SYNTHETIC, FakeEngine, SilentObserver, make_epochs


@pytest.fixture
def store(tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord) -> RunStore:
    return RunStore.create(tmp_path / "run", small_study, REFERENCE, SYNTHETIC, environment)


def run_with(store: RunStore, dataset: Dataset, engine: Engine | None = None) -> list[TrialRecord]:
    """Run a study with an engine, by default the one it asks for."""
    make = make_engine if engine is None else lambda _name, _dataset, _threads: engine
    return run_study(store, dataset, SilentObserver(), InProcessExecutor(1, make))


def list_keys(store: RunStore) -> list[str]:
    return [trial.key for trial in store.study.list_scored_trials(store.engines)]


def test_every_trial_is_trained_once_and_in_the_studys_order(
    store: RunStore, synthetic_dataset: Dataset
) -> None:
    engine = FakeEngine()
    records = run_with(store, synthetic_dataset, engine)
    assert [trial.key for trial in engine.trained] == list_keys(store)
    assert run_with(store, synthetic_dataset, engine) == records
    assert len(engine.trained) == len(records) == 6


def test_what_was_finished_before_an_interruption_is_not_trained_again(
    store: RunStore, synthetic_dataset: Dataset
) -> None:
    keys = list_keys(store)
    with pytest.raises(KeyboardInterrupt):
        run_with(store, synthetic_dataset, FakeEngine(interrupt_before=keys[2]))
    engine = FakeEngine()
    run_with(RunStore.open(store.folder), synthetic_dataset, engine)
    assert [trial.key for trial in engine.trained] == keys[2:]


def test_a_failed_trial_stays_on_record_and_the_study_goes_on(
    store: RunStore, synthetic_dataset: Dataset
) -> None:
    failing = list_keys(store)[1]
    records = run_with(store, synthetic_dataset, FakeEngine(failing=[failing]))
    outcomes = {record.trial.key: record for record in records}
    assert outcomes[failing].reason == "diverged: a test said so"
    assert sum(record.status == "finished" for record in records) == 5


def test_every_finished_trial_leaves_a_model_and_a_manifest(
    store: RunStore, synthetic_dataset: Dataset
) -> None:
    run_with(store, synthetic_dataset)
    assert sorted(path.name for path in store.models_folder.iterdir()) == sorted(
        f"{key}.{suffix}" for key in list_keys(store) for suffix in ("pt", "json")
    )


@pytest.fixture
def tuned_store(tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord) -> RunStore:
    tuning = TuningSpec((0.001, 0.1, 1e20), seeds=(7, 8), num_validation_images=50)
    study = dataclasses.replace(small_study, tuning=tuning)
    return RunStore.create(tmp_path / "tuned", study, REFERENCE, SYNTHETIC, environment)


def test_models_are_exported_in_the_studys_formats(
    tmp_path: Path,
    small_study: StudySpec,
    environment: EnvironmentRecord,
    synthetic_dataset: Dataset,
) -> None:
    study = dataclasses.replace(small_study, formats=("pt", "pt2"))
    store = RunStore.create(tmp_path / "run", study, REFERENCE, SYNTHETIC, environment)
    run_with(store, synthetic_dataset)
    assert sorted(path.name for path in store.models_folder.iterdir()) == sorted(
        f"{key}.{suffix}"
        for key in list_keys(store)
        for suffix in ("pt", "json", "pt2", "pt2.json")
    )
    model = read_model(store.models_folder / f"{list_keys(store)[0]}.pt2")
    assert model.is_unaltered
    assert model.graph.tensors.keys() == model.manifest.network.tensors.keys()
    assert RunStore.open(store.folder).study.formats == ("pt", "pt2")


def test_variants_are_scored_at_the_rate_that_did_best_in_validation(
    tuned_store: RunStore, synthetic_dataset: Dataset
) -> None:
    records = run_with(tuned_store, synthetic_dataset)
    scored = [record for record in records if record.trial.purpose == "score"]
    assert {record.trial.recipe.learning_rate for record in scored} == {0.1}
    assert [r.trial.seed for r in scored] == [0, 1, 2, 0, 1, 2]
    failed = [record for record in records if record.status == "failed"]
    assert {record.trial.recipe.learning_rate for record in failed} == {1e20}


def test_rates_half_an_octave_beside_the_best_are_tried_and_likely_ones_are_scored_too(
    tmp_path: Path,
    small_study: StudySpec,
    environment: EnvironmentRecord,
    synthetic_dataset: Dataset,
) -> None:
    tuning = TuningSpec(
        (0.001, 0.1), seeds=(7, 8), num_validation_images=50, refine=True, max_alternates=1
    )
    study = dataclasses.replace(small_study, tuning=tuning)
    store = RunStore.create(tmp_path / "finer", study, REFERENCE, SYNTHETIC, environment)
    records = run_with(store, synthetic_dataset, SeedsDisagree())

    def list_rates(purpose: str, variant: str) -> set[float]:
        return {
            record.trial.recipe.learning_rate
            for record in records
            if record.trial.purpose == purpose and record.trial.variant.name == variant
        }

    for name in ("baseline", "batchnorm"):
        assert list_rates("tune", name) == {0.001, 0.1, 0.0707107, 0.141421}
        assert list_rates("score", name) == {0.1}
        assert list_rates("alternate", name) == {0.001}
    alternates = [record for record in records if record.trial.purpose == "alternate"]
    assert len(alternates) == 2 * len(study.seeds)
    again = SeedsDisagree()
    assert run_with(store, synthetic_dataset, again) == records
    assert again.trained == []


class SeedsDisagree(FakeEngine):
    """One tuning seed is best at the rate 0.1, the other, by less, at 0.001."""

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        for trial in trials:
            self.trained.append(trial)
            peak, reached = (0.1, 0.9) if trial.seed == 7 else (0.001, 0.8)
            accuracy = reached if trial.recipe.learning_rate == peak else 0.5
            epochs = make_epochs([accuracy] * trial.recipe.epochs)
            on_trial(TrainedTrial(TrialRecord(trial, "finished", epochs), None))


def test_the_chosen_rates_are_stored_once_and_used_on_resume(
    tuned_store: RunStore, synthetic_dataset: Dataset
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_with(tuned_store, synthetic_dataset, FakeEngine(interrupt_before="baseline-seed0-cpu"))
    assert tuned_store.read_rates() == choose_rates(tuned_store.study, tuned_store.read_trials())
    chosen = (ChosenRateRecord("baseline", "cpu", 0.001), ChosenRateRecord("batchnorm", "cpu", 0.1))
    tuned_store.write_rates(chosen)
    records = run_with(tuned_store, synthetic_dataset, FakeEngine())
    scored = [record.trial for record in records if record.trial.purpose == "score"]
    assert {(trial.variant.name, trial.recipe.learning_rate) for trial in scored} == {
        ("baseline", 0.001),
        ("batchnorm", 0.1),
    }


def test_a_run_without_stored_rates_gets_them_from_its_tuning_trials(
    tuned_store: RunStore, synthetic_dataset: Dataset
) -> None:
    records = run_with(tuned_store, synthetic_dataset, FakeEngine())
    stored = tuned_store.read_rates()
    (tuned_store.folder / "rates.json").unlink()
    assert run_with(tuned_store, synthetic_dataset, FakeEngine()) == records
    assert tuned_store.read_rates() == stored


def test_tuning_never_sees_a_test_image_or_label(
    tuned_store: RunStore, synthetic_dataset: Dataset
) -> None:
    engine, datasets = FakeEngine(), []

    def make(_name: str, dataset: Dataset, _threads: int) -> FakeEngine:
        datasets.append(dataset)
        return engine

    run_study(tuned_store, synthetic_dataset, SilentObserver(), InProcessExecutor(1, make))
    assert {trial.purpose for trial in engine.trained} == {"tune", "score"}
    assert len(datasets) == 2
    tuning_data = datasets[0]
    seen = torch.cat([tuning_data.train.inputs, tuning_data.test.inputs]).flatten(1)
    assert len(seen) == len(synthetic_dataset.train)
    test_images = synthetic_dataset.test.inputs.flatten(1)
    assert not (seen[:, None] == test_images[None]).all(dim=2).any()
    assert torch.equal(
        torch.cat([tuning_data.train.labels, tuning_data.test.labels]).bincount(),
        synthetic_dataset.train.labels.bincount(),
    )


def test_a_study_gives_the_same_tuning_when_the_test_labels_are_others(
    tuned_store: RunStore, synthetic_dataset: Dataset, tmp_path: Path
) -> None:
    """Test labels can't be reached while tuning: spoiling them changes no tuning trial."""
    spoilt = dataclasses.replace(
        synthetic_dataset,
        test=dataclasses.replace(
            synthetic_dataset.test, labels=(synthetic_dataset.test.labels + 1) % 10
        ),
    )
    other = RunStore.create(
        tmp_path / "other", tuned_store.study, REFERENCE, SYNTHETIC, tuned_store.environment
    )

    def list_tuning_accuracies(store: RunStore, dataset: Dataset) -> list[list[float]]:
        records = run_with(store, dataset)
        return [
            [epoch.test_accuracy for epoch in record.epochs]
            for record in records
            if record.trial.purpose == "tune"
        ]

    assert list_tuning_accuracies(tuned_store, synthetic_dataset) == (
        list_tuning_accuracies(other, spoilt)
    )


def test_timed_trials_run_one_at_a_time(
    tmp_path: Path,
    small_study: StudySpec,
    environment: EnvironmentRecord,
    synthetic_dataset: Dataset,
) -> None:
    class CountingEngine(FakeEngine):
        def train(self, trials, on_epoch, on_trial):  # type: ignore[no-untyped-def]
            batches.append([trial.purpose for trial in trials])
            super().train(trials, on_epoch, on_trial)

    batches: list[list[str]] = []
    store = RunStore.create(
        tmp_path / "native", small_study, {"cpu": "native"}, SYNTHETIC, environment
    )
    run_with(store, synthetic_dataset, CountingEngine())
    assert batches == [["score"] * 6] + [["time"]] * 40


@pytest.mark.parametrize("largest", [2_000, 20_000], ids=["log", "model"])
def test_a_full_disk_loses_no_finished_trial_and_the_run_goes_on(
    store: RunStore, synthetic_dataset: Dataset, largest: int
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            run_with(store, synthetic_dataset, FakeEngine() if largest < 10_000 else None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Path(raised.value.filename).is_relative_to(store.folder)
    assert not [path for path in store.folder.rglob("*") if path.name.endswith(".draft")]
    log = (store.folder / "trials.jsonl").read_bytes()
    assert not log or log.endswith(b"\n")
    assert len(run_with(store, synthetic_dataset)) == 6
    assert (store.folder / "trials.jsonl").read_bytes().startswith(log)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_without_pairs_no_trial_is_timed(small_study: StudySpec, engine: EngineName) -> None:
    study = dataclasses.replace(small_study, timing=TimingSpec(num_pairs=0))
    assert study.list_timed_trials({"cpu": engine}) == ()
