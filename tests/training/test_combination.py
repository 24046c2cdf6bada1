from dataclasses import replace
from pathlib import Path

import pytest

from bnbench.errors import SpecError
from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.specs import StudySpec, TuningSpec
from bnbench.store import RunStore
from bnbench.techniques import VARIANTS
from bnbench.training.combination import choose_techniques, make_combination_study
from tests.conftest import SYNTHETIC, make_epochs


def test_the_best_of_each_kind_is_taken_if_it_beats_the_baseline() -> None:
    accuracies = {
        "baseline": 0.80,
        "batchnorm": 0.82,
        "layernorm": 0.83,
        "dropout": 0.79,
        "momentum": 0.81,
        "adam": 0.805,
        "linear": 0.80,
    }
    assert choose_techniques(accuracies) == ("layernorm", "momentum")


def test_without_a_baseline_nothing_is_taken() -> None:
    assert choose_techniques({"batchnorm": 0.9}) == ()


def make_run(
    folder: Path, environment: EnvironmentRecord, validation: dict[str, float]
) -> RunStore:
    """A tuned run whose variants reach these accuracies on the validation images."""
    study = StudySpec(
        "techniques",
        tuple(VARIANTS[name] for name in validation),
        seeds=(0,),
        tuning=TuningSpec((0.1, 0.2), seeds=(100, 101)),
    )
    store = RunStore.create(folder / "run", study, {"cpu": "native"}, SYNTHETIC, environment)
    with store.locked():
        for trial in study.list_tuning_trials({"cpu": "native"}):
            loss = 0.2 if trial.recipe.learning_rate == 0.1 else 0.0
            reached = validation[trial.variant.name] - loss
            store.append_trial(TrialRecord(trial, "finished", make_epochs([reached])))
    return store


def test_the_combination_has_all_that_helped_and_is_tuned_like_every_other(
    tmp_path: Path, environment: EnvironmentRecord
) -> None:
    validation = {"baseline": 0.7, "batchnorm": 0.8, "momentum": 0.75, "dropout": 0.6}
    store = make_run(tmp_path, environment, validation)
    study = make_combination_study(store)
    assert [variant.name for variant in study.variants] == ["baseline", "batchnorm", "combined"]
    combined = study.variants[-1]
    assert (combined.normalization, combined.dropout) == ("batch", 0.0)
    assert combined.recipe.changes == {"momentum": 0.9}
    assert replace(study, name="techniques", variants=store.study.variants) == store.study


def test_one_technique_that_helps_is_no_combination(
    tmp_path: Path, environment: EnvironmentRecord
) -> None:
    store = make_run(tmp_path, environment, {"baseline": 0.7, "batchnorm": 0.8, "dropout": 0.6})
    with pytest.raises(SpecError, match="combine: expected .* two techniques .*, got batchnorm"):
        make_combination_study(store)
