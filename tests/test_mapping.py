import dataclasses

import pytest

from bnbench.mapping import MappingError, build_from_mapping
from bnbench.recipes import RecipeSpec
from bnbench.specs import StudySpec, TrialSpec, VariantSpec


def test_what_asdict_takes_apart_is_put_together_again() -> None:
    study = StudySpec("s", (VariantSpec("a", (3,), "batch", "tanh"),), seeds=(1, 2), threads=2)
    assert build_from_mapping(StudySpec, dataclasses.asdict(study)) == study
    trial = study.list_scored_trials({"cpu": "reference"})[0]
    assert build_from_mapping(TrialSpec, dataclasses.asdict(trial)) == trial


def test_whole_numbers_serve_as_numbers() -> None:
    assert build_from_mapping(RecipeSpec, {"learning_rate": 1}).learning_rate == 1.0


@pytest.mark.parametrize(
    ("mapping", "key"),
    [
        ({"epoch": 3}, "epoch"),
        ({"epochs": "3"}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": None}, "learning_rate"),
    ],
)
def test_an_entry_that_does_not_fit_is_named(mapping: dict[str, object], key: str) -> None:
    with pytest.raises(MappingError) as caught:
        build_from_mapping(RecipeSpec, mapping)
    assert caught.value.key == key
    assert str(caught.value).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("mapping", "key"),
    [
        ({"name": "s"}, "variants"),
        ({"name": "s", "variants": "baseline"}, "variants"),
        (
            {"name": "s", "variants": [{"name": "a", "activation": "swish"}]},
            "variants[0].activation",
        ),
        ({"name": "s", "variants": [{"name": "a"}], "recipe": {"epochs": -1}}, "recipe.epochs"),
        ({"name": "s", "variants": [{"name": "a"}], "seeds": [0, "1"]}, "seeds[1]"),
        ([], ""),
    ],
)
def test_the_path_leads_to_nested_entries(mapping: object, key: str) -> None:
    with pytest.raises(MappingError) as caught:
        build_from_mapping(StudySpec, mapping)
    assert caught.value.key == key
