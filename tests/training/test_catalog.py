import dataclasses
import itertools
from pathlib import Path

import pytest

from bnbench.errors import SpecError
from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.records import EnvironmentRecord
from bnbench.specs import StudySpec, TuningSpec, VariantSpec
from bnbench.store import RunStore
from bnbench.training.catalog import SERIES, check_against_data, find_study, read_study_file
from tests.conftest import REFERENCE, SYNTHETIC


def test_the_notebook_study_is_the_notebooks() -> None:
    study = find_study("notebook")
    assert study.recipe == RecipeSpec(epochs=5, batch_size=64, learning_rate=0.001)
    assert study.variants == (
        VariantSpec("baseline", hidden_sizes=(64, 32)),
        VariantSpec("batchnorm", hidden_sizes=(64, 32), normalization="batch"),
    )


def test_fair_goes_from_the_notebooks_recipe_to_the_best_one() -> None:
    fair = SERIES["fair"]
    linear = RecipeSpec(schedule="linear")
    precise = dataclasses.replace(linear, evaluation_statistics="precise")
    assert {study.name: study.recipe for study in fair.studies} == {
        "notebook": RecipeSpec(epochs=5, batch_size=64, learning_rate=0.001),
        "constant": RecipeSpec(),
        "linear": linear,
        "linear-precise": precise,
        "linear-precise-20": dataclasses.replace(precise, epochs=20),
    }
    assert fair.studies[0] == find_study("notebook")
    assert fair.verified == ("notebook",)
    for study in fair.studies[1:]:
        assert study.variants == fair.studies[0].variants
        assert study.seeds == tuple(range(30))
        assert study.timing.num_pairs == 0
        assert study.tuning is not None
        assert study.tuning.max_alternates > 0


def test_studies_of_five_epochs_are_tuned_over_the_whole_range_of_rates() -> None:
    for study in SERIES["fair"].studies[1:4]:
        assert study.tuning is not None
        assert study.tuning.learning_rates[0] <= 0.001
        assert study.tuning.learning_rates[-1] >= 4
        ratios = [b / a for a, b in itertools.pairwise(study.tuning.learning_rates)]
        assert ratios == pytest.approx([4] * 6)
        assert study.tuning.refine_octaves == (1.0, 0.5)


def test_a_study_of_a_series_is_found_by_both_names() -> None:
    assert find_study("fair/constant") == SERIES["fair"].studies[1]
    with pytest.raises(SpecError, match="expected notebook, .*got 'fair/quadratic'"):
        find_study("fair/quadratic")


def test_an_empty_study_file_is_the_notebook_study(tmp_path: Path) -> None:
    (tmp_path / "notebook.toml").write_text("")
    assert read_study_file(tmp_path / "notebook.toml") == find_study("notebook")


def test_a_study_file_may_ask_for_tuning(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[tuning]\nlearning_rates = [0.1, 1]\nseeds = "50-52"\n')
    assert read_study_file(path).tuning == TuningSpec(
        (0.1, 1.0), (50, 51, 52), refine=True, max_alternates=5
    )


def test_a_study_file_may_ask_for_a_race(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "[tuning]\nlearning_rates = [0.1, 1]\nseeds = '50-54'\nrefine_octaves = [1, 0.5]\n"
        "num_first_seeds = 2\nnum_finalists = 1\nnum_alternate_seeds = 3\n"
    )
    tuning = read_study_file(path).tuning
    assert tuning is not None
    assert (tuning.refine_octaves, tuning.first_seeds) == ((1.0, 0.5), (50, 51))
    assert (tuning.num_finalists, tuning.num_alternate_seeds) == (1, 3)


def test_a_study_file_changes_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "wide.toml"
    path.write_text(
        'seeds = "0-9"\n'
        'variants = ["baseline", {name = "wide", hidden_sizes = [256], normalization = "layer"}]\n'
        "[recipe]\nlearning_rate = 1\n"
    )
    assert read_study_file(path) == StudySpec(
        "wide",
        (VariantSpec("baseline"), VariantSpec("wide", (256,), "layer")),
        RecipeSpec(learning_rate=1.0),
        seeds=tuple(range(10)),
    )


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("\nseeds = = 0\n", "line 2", "expected TOML"),
        ("\nsede = 3\n", "line 2", "sede: expected one of"),
        ('seeds = "a-b"\n', "line 1", "seeds: expected whole numbers"),
        ("name = 's'\n[recipe]\n\nepochs = 0\n", "line 4", "recipe.epochs: expected"),
        ("epochs = 1\n[recipe]\nepochs = 2\n", "line 1", "epochs: expected one of"),
        ("[recipe]\nbatch_size = '64'\n", "line 2", "recipe.batch_size: expected a whole number"),
        ('variants = ["basline"]\n', "line 1", "'basline'"),
        (
            "[[variants]]\nname = 'a'\n[[variants]]\nname = 'b'\nhidden_sizes = [0]\n",
            "line 5",
            "variants[1].hidden_sizes: expected",
        ),
        ("variants = [{name = 'a', depth = 2}]\n", "line 1", "variants[0].depth: expected one of"),
        ("variants = 3\n", "line 1", "variants: expected a list"),
        ("seeds = [1, 1]\n", "line 1", "got 1 twice"),
    ],
)
def test_a_mistake_in_a_study_file_is_named_by_line_and_key(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        read_study_file(path)
    assert where in str(caught.value)
    assert what in str(caught.value)


def test_a_runs_study_can_be_run_again(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    RunStore.create(tmp_path / "run", small_study, REFERENCE, SYNTHETIC, environment)
    assert find_study(str(tmp_path / "run" / "run.json")) == small_study


def test_a_study_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="expected notebook, .*, fair, a .*got 'notbook'"):
        find_study("notbook")
    with pytest.raises(SpecError, match="can be read"):
        find_study(str(tmp_path / "gone.toml"))
    with pytest.raises(SpecError, match="can be read"):
        find_study(str(tmp_path))


@pytest.mark.parametrize(("batch_size", "num_images"), [(1, 10), (3, 10), (9, 10)])
def test_a_batch_of_one_is_refused_for_batch_normalization(
    batch_size: int, num_images: int
) -> None:
    recipe = RecipeSpec(batch_size=batch_size)
    check_against_data(StudySpec("s", (VariantSpec("a"),), recipe), num_images)
    with pytest.raises(SpecError, match="batches of two images or more for b"):
        check_against_data(
            StudySpec("s", (VariantSpec("b", normalization="batch"),), recipe), num_images
        )


def test_a_last_batch_of_one_is_fine_where_it_is_left_out() -> None:
    recipe = RecipeSpec(batch_size=3, drop_last=True)
    check_against_data(StudySpec("s", (VariantSpec("b", normalization="batch"),), recipe), 10)


def test_a_warm_up_as_long_as_the_training_is_refused() -> None:
    warm = VariantSpec("warm", recipe=RecipeChange(warmup_steps=10))
    check_against_data(StudySpec("s", (warm,), RecipeSpec(epochs=2, batch_size=2)), 12)
    with pytest.raises(SpecError, match="warmup_steps: expected fewer than the 10 steps .* warm"):
        check_against_data(StudySpec("s", (warm,), RecipeSpec(epochs=2, batch_size=2)), 10)


def test_a_batch_larger_than_the_training_set_is_refused_where_it_is_left_out() -> None:
    recipe = RecipeSpec(batch_size=11, drop_last=True)
    with pytest.raises(SpecError, match="batch_size: expected at most 10"):
        check_against_data(StudySpec("s", (VariantSpec("a"),), recipe), 10)


def test_a_batch_of_two_left_over_is_fine() -> None:
    recipe = RecipeSpec(batch_size=4)
    check_against_data(StudySpec("s", (VariantSpec("b", normalization="batch"),), recipe), 10)


def test_the_inputs_that_tuning_leaves_to_train_on_are_checked_too() -> None:
    study = StudySpec(
        "s",
        (VariantSpec("b", normalization="batch"),),
        RecipeSpec(batch_size=9),
        tuning=TuningSpec((0.1,), (100,), num_validation_images=10),
    )
    check_against_data(study, 30)
    with pytest.raises(SpecError, match="leaves one of 28 images alone"):
        check_against_data(study, 38)
