from dataclasses import fields, replace
from typing import Any

import pytest

from bnbench.errors import SpecError
from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.specs import DataShape, StudySpec, TrialSpec, TuningSpec, VariantSpec, parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-4", (0, 1, 2, 3, 4)), ("7", (7,)), ("0,3,7", (0, 3, 7)), ("1-2, 9", (1, 2, 9))],
)
def test_seeds_are_read_as_people_write_them(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "4-2", "1..3", "0-9999999", "1,,2", "²"])
def test_seeds_that_do_not_parse_are_named(text: str) -> None:
    with pytest.raises(SpecError, match="seeds: expected"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("inf")),
        ("learning_rate", float("nan")),
        ("momentum", 1.0),
        ("weight_decay", -0.1),
        ("warmup_steps", -1),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("epsilon", 0.0),
        ("label_smoothing", 1.0),
        ("averaging_decay", 1.0),
        ("nesterov", True),
        ("initialization_seed", -1),
        ("order_seed", 2**32),
    ],
)
def test_a_recipe_refuses_what_cannot_be_trained(field: str, value: float) -> None:
    with pytest.raises(SpecError, match=f"{field}: expected .*, got"):
        RecipeSpec(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"optimizer": "adam", "momentum": 0.9}, "momentum: expected 0 with adam, which has beta1"),
        ({"optimizer": "adamw", "nesterov": True}, "nesterov: expected false with adamw"),
        (
            {"schedule": "one-cycle", "warmup_steps": 3},
            "warmup_steps: expected 0 with the one-cycle schedule",
        ),
    ],
    ids=["momentum", "nesterov", "warm-up"],
)
def test_a_recipe_refuses_what_its_optimizer_or_schedule_does_not_have(
    settings: dict[str, Any], text: str
) -> None:
    with pytest.raises(SpecError, match=text):
        RecipeSpec(**settings)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"dropout": 1.0}, r"dropout: expected a number in \[0, 1\), got 1.0"),
        ({"placement": "after"}, "placement: expected a normalization to place, got 'after'"),
        (
            {"recipe": RecipeChange(evaluation_statistics="precise")},
            "normalization: expected batch, for precise evaluation statistics, got 'none'",
        ),
    ],
    ids=["dropout", "placement", "precise"],
)
def test_a_variant_refuses_what_its_network_does_not_have(
    settings: dict[str, Any], text: str
) -> None:
    with pytest.raises(SpecError, match=text):
        VariantSpec("v", **settings)


def test_a_variant_changes_the_recipe_of_its_study_in_every_trial() -> None:
    fast = VariantSpec("fast", recipe=RecipeChange(momentum=0.9, learning_rate=0.5))
    study = StudySpec("s", (VariantSpec("a"), fast), RecipeSpec(learning_rate=0.1), seeds=(0,))
    scored = study.list_scored_trials({"cpu": "native"})
    assert [(t.recipe.learning_rate, t.recipe.momentum) for t in scored] == [(0.1, 0.0), (0.5, 0.9)]
    timed = study.list_timed_trials({"cpu": "native"})
    assert {(t.variant.name, t.recipe.momentum, t.recipe.epochs) for t in timed} == {
        ("a", 0.0, 1),
        ("fast", 0.9, 1),
    }


def test_tuning_chooses_the_learning_rate_and_leaves_the_variants_other_changes() -> None:
    fast = VariantSpec("fast", recipe=RecipeChange(momentum=0.9))
    study = StudySpec("s", (fast,), seeds=(0,), tuning=TuningSpec((0.1, 0.2), seeds=(9,)))
    tuned = study.list_tuning_trials({"cpu": "native"})
    assert [(t.recipe.learning_rate, t.recipe.momentum) for t in tuned] == [(0.1, 0.9), (0.2, 0.9)]
    (scored,) = study.list_scored_trials({"cpu": "native"}, {("fast", "cpu"): 0.2})
    assert (scored.recipe.learning_rate, scored.recipe.momentum) == (0.2, 0.9)


def test_a_change_that_makes_no_sense_in_the_study_is_named_with_its_variant() -> None:
    adam = VariantSpec("adam", recipe=RecipeChange(optimizer="adam"))
    with pytest.raises(SpecError, match=r"variants\[1\]\.recipe\.momentum: expected 0 with adam"):
        StudySpec("s", (VariantSpec("a"), adam), RecipeSpec(momentum=0.9))


def test_precise_statistics_need_a_variant_with_batch_normalization() -> None:
    precise = RecipeSpec(evaluation_statistics="precise")
    with pytest.raises(SpecError, match=r"recipe\.evaluation_statistics: expected running"):
        StudySpec("s", (VariantSpec("a"),), precise)
    StudySpec("s", (VariantSpec("a"), VariantSpec("b", normalization="batch")), precise)


def test_a_change_has_the_fields_of_a_recipe() -> None:
    changeable = {field.name for field in fields(RecipeSpec)} - {"epochs", "batch_size"}
    assert {field.name for field in fields(RecipeChange)} == changeable


def test_the_variants_order_turns_round_from_seed_to_seed() -> None:
    study = StudySpec("s", (VariantSpec("a"), VariantSpec("b")), seeds=(5, 6, 7))
    trials = study.list_scored_trials({"cpu": "reference"})
    assert [(trial.seed, trial.variant.name) for trial in trials] == [
        (5, "a"),
        (5, "b"),
        (6, "b"),
        (6, "a"),
        (7, "a"),
        (7, "b"),
    ]


def test_every_device_has_every_trial() -> None:
    study = StudySpec("s", (VariantSpec("a"),), seeds=(0, 1), devices=("cpu", "cuda:1"))
    trials = study.list_scored_trials({"cpu": "reference", "cuda:1": "native"})
    assert [trial.engine for trial in trials] == ["reference"] * 2 + ["native"] * 2
    assert [trial.key for trial in trials] == [
        "a-seed0-cpu",
        "a-seed1-cpu",
        "a-seed0-cuda1",
        "a-seed1-cuda1",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"variants": ()},
        {"variants": (VariantSpec("a"), VariantSpec("a", normalization="batch"))},
        {"seeds": (1, 1)},
        {"seeds": (-1,)},
        {"devices": ()},
        {"name": "../elsewhere"},
        {"threads": 0},
        {"formats": ("pt2",)},
        {"formats": ("pt", "onnx")},
    ],
)
def test_a_study_refuses_what_it_cannot_tell_apart(changes: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="expected"):
        StudySpec(**{"name": "s", "variants": (VariantSpec("a"),), **changes})  # type: ignore[arg-type]


def test_a_variants_name_cannot_leave_its_folder() -> None:
    with pytest.raises(SpecError, match="becomes part of file names"):
        VariantSpec("../../etc")


def test_equal_trials_are_one_trial() -> None:
    trial = TrialSpec(VariantSpec("a"), RecipeSpec(), 0, "cpu")
    assert {trial: 1}[TrialSpec(VariantSpec("a"), RecipeSpec(), 0, "cpu")] == 1


TUNED = StudySpec(
    "s", (VariantSpec("a"), VariantSpec("b")), tuning=TuningSpec((0.1, 1.0), seeds=(100, 101))
)


def test_every_variant_is_tuned_on_the_same_grid_with_the_same_seeds() -> None:
    trials = TUNED.list_tuning_trials({"cpu": "native"})
    budgets = {
        name: [(t.recipe.learning_rate, t.seed) for t in trials if t.variant.name == name]
        for name in ("a", "b")
    }
    assert budgets["a"] == budgets["b"] == [(0.1, 100), (1.0, 100), (0.1, 101), (1.0, 101)]
    assert {(trial.purpose, trial.engine) for trial in trials} == {("tune", "native")}


def test_alternates_have_the_first_of_the_scored_seeds() -> None:
    assert TUNED.tuning is not None
    tuning = replace(TUNED.tuning, num_alternate_seeds=2)
    study = replace(TUNED, tuning=tuning)
    trials = study.list_alternate_trials({"cpu": "native"}, {("b", "cpu"): (0.1,)})
    assert [(t.variant.name, t.recipe.learning_rate, t.seed) for t in trials] == [
        ("b", 0.1, 0),
        ("b", 0.1, 1),
    ]


def test_a_variant_is_scored_at_its_own_rate_and_not_at_all_without_one() -> None:
    trials = TUNED.list_scored_trials({"cpu": "native"}, {("b", "cpu"): 1.0})
    assert {(trial.variant.name, trial.recipe.learning_rate) for trial in trials} == {("b", 1.0)}
    assert [trial.seed for trial in trials] == [0, 1, 2, 3, 4]


def test_a_seed_is_never_both_tuned_on_and_scored() -> None:
    with pytest.raises(SpecError, match="seeds: expected seeds that the tuning does not use"):
        StudySpec("s", (VariantSpec("a"),), seeds=(1, 2), tuning=TuningSpec((0.1,), seeds=(2,)))


def test_trials_that_share_the_machine_are_timed_again_one_at_a_time() -> None:
    assert TUNED.list_timed_trials({"cpu": "reference"}) == ()
    trials = TUNED.list_timed_trials({"cpu": "native"})
    assert [(t.seed, t.engine, t.variant.name) for t in trials[:8]] == [
        (0, "reference", "a"),
        (0, "reference", "b"),
        (0, "native", "a"),
        (0, "native", "b"),
        (1, "reference", "b"),
        (1, "reference", "a"),
        (1, "native", "b"),
        (1, "native", "a"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rates": ()},
        {"learning_rates": (1.0, 0.1)},
        {"learning_rates": (0.0,)},
        {"seeds": ()},
        {"num_validation_images": 0},
        {"num_first_seeds": 0},
        {"num_first_seeds": 2},
        {"num_finalists": 0},
        {"refine_octaves": (1.0, 0.0)},
        {"num_alternate_seeds": 0},
        {"max_alternates": -1},
    ],
)
def test_a_tuning_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="expected"):
        TuningSpec(**{"learning_rates": (0.1,), "seeds": (0,), **changes})  # type: ignore[arg-type]


def test_the_last_batch_counts_unless_it_is_left_out() -> None:
    recipe = RecipeSpec(batch_size=64)
    assert recipe.count_steps(60_000) == 938
    assert recipe.count_steps(64_000) == 1000
    assert RecipeSpec(batch_size=64, drop_last=True).count_steps(60_000) == 937


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((), 10), "input_shape: expected at least one size"),
        (((1, 0, 8), 10), "input_shape: expected at least one size"),
        (((64,), 1), "num_classes: expected at least 2, got 1"),
    ],
    ids=["no size", "a size of 0", "one class"],
)
def test_a_shape_that_no_data_have_is_refused(arguments: tuple[Any, Any], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        DataShape(*arguments)


def test_a_shape_has_as_many_numbers_as_its_sizes_multiplied() -> None:
    assert DataShape((3, 4, 5), 2).num_inputs == 60
