import dataclasses
from pathlib import Path

import pytest

from bnbench.data import Dataset
from bnbench.recipes import RecipeSpec
from bnbench.records import EnvironmentRecord
from bnbench.specs import StudySpec, TuningSpec
from bnbench.store import RunStore
from bnbench.training.earlier import EarlierTrials
from bnbench.training.executors.in_process import InProcessExecutor
from bnbench.training.study import run_study
from tests.conftest import REFERENCE, SYNTHETIC, SilentObserver


@pytest.fixture
def linear(small_study: StudySpec) -> StudySpec:
    recipe = RecipeSpec(epochs=2, batch_size=32, schedule="linear")
    tuning = TuningSpec((0.1, 1.0), (7,), 50)
    return dataclasses.replace(small_study, recipe=recipe, tuning=tuning, seeds=(0, 1))


@pytest.fixture
def precise(linear: StudySpec) -> StudySpec:
    recipe = dataclasses.replace(linear.recipe, evaluation_statistics="precise")
    return dataclasses.replace(linear, recipe=recipe)


class Counted(SilentObserver):
    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        self.stages.append((name, num_trials))


def train(
    folder: Path,
    study: StudySpec,
    environment: EnvironmentRecord,
    dataset: Dataset,
    earlier: EarlierTrials | None = None,
) -> tuple[RunStore, list[tuple[str, int]]]:
    store = RunStore.create(folder, study, REFERENCE, SYNTHETIC, environment)
    observer = Counted()
    run_study(store, dataset, observer, InProcessExecutor(1), earlier)
    return store, observer.stages


def test_a_study_takes_over_the_trials_that_it_shares_with_an_earlier_one(
    tmp_path: Path,
    linear: StudySpec,
    precise: StudySpec,
    environment: EnvironmentRecord,
    synthetic_dataset: Dataset,
) -> None:
    first, _ = train(tmp_path / "linear", linear, environment, synthetic_dataset)
    earlier = EarlierTrials()
    earlier.add(first)
    alone, stages = train(tmp_path / "alone", precise, environment, synthetic_dataset)
    assert stages == [("tuning", 4), ("training", 4)]
    # The baseline has no statistics, so its trials are those of the linear study.
    shared, stages = train(tmp_path / "shared", precise, environment, synthetic_dataset, earlier)
    assert stages == [("tuning", 2), ("training", 2)]
    outcomes = [
        [
            (record.trial, [epoch.test_accuracy for epoch in record.epochs])
            for record in store.read_trials()
        ]
        for store in (alone, shared)
    ]
    assert outcomes[0] == outcomes[1]
    names = sorted(path.name for path in alone.models_folder.iterdir())
    assert sorted(path.name for path in shared.models_folder.iterdir()) == names
    for name in names:
        if name.startswith("baseline") and name.endswith(".pt"):
            copied = (shared.models_folder / name).read_bytes()
            assert copied == (first.models_folder / name).read_bytes()


@pytest.mark.parametrize("change", ["model", "split"])
def test_a_trial_without_its_model_or_of_another_split_is_trained_again(
    tmp_path: Path,
    linear: StudySpec,
    environment: EnvironmentRecord,
    synthetic_dataset: Dataset,
    change: str,
) -> None:
    first, _ = train(tmp_path / "first", linear, environment, synthetic_dataset)
    study, expected = linear, [("training", 1)]
    if change == "split":
        assert linear.tuning is not None
        tuning = dataclasses.replace(linear.tuning, split_seed=1)
        study, expected = dataclasses.replace(linear, tuning=tuning), [("tuning", 4)]
    else:
        (first.models_folder / "baseline-seed1-cpu.json").unlink()
    earlier = EarlierTrials()
    earlier.add(first)
    _, stages = train(tmp_path / "second", study, environment, synthetic_dataset, earlier)
    assert stages[:1] == expected


def test_trials_that_failed_or_were_timed_are_not_taken_over(
    tmp_path: Path,
    linear: StudySpec,
    environment: EnvironmentRecord,
    synthetic_dataset: Dataset,
) -> None:
    assert linear.tuning is not None
    tuning = dataclasses.replace(linear.tuning, learning_rates=(0.1, 1e20))
    study = dataclasses.replace(linear, tuning=tuning)
    store, _ = train(tmp_path / "first", study, environment, synthetic_dataset)
    earlier = EarlierTrials()
    earlier.add(store)
    found = [r for r in store.read_trials() if earlier.find(r.trial, study) is None]
    assert {record.status for record in found} == {"failed"}
