import dataclasses

from bnbench.recipes import RecipeChange
from bnbench.records import TrialRecord, describe_recipe
from bnbench.reporting.background import compose_method
from bnbench.reporting.summary import summarize_run
from bnbench.store import RunStore
from tests.conftest import BASELINE, BATCHNORM
from tests.reporting.conftest import MakeRun, separate

ADAM = "torch.optim.adam.Adam(lr=0.1, weight_decay=0)"


def say_method(store: RunStore, records: list[TrialRecord]) -> str:
    return " ".join(compose_method(summarize_run(store, records)).paragraphs)


def follow(record: TrialRecord) -> TrialRecord:
    return dataclasses.replace(record, optimizers=(describe_recipe(record.trial),))


def test_the_method_says_what_is_on_record(make_run: MakeRun) -> None:
    store = make_run(separate)
    text = say_method(store, [follow(record) for record in store.read_trials()])
    assert (
        "On record, read from what was used: torch.optim.sgd.SGD(lr=0.1, momentum=0, "
        "weight_decay=0) for the baseline and batch normalization."
    ) in text
    assert "Another optimizer" not in text


def test_a_departure_from_the_recipe_is_said_with_its_trials(make_run: MakeRun) -> None:
    store = make_run(separate)
    first, *rest = store.read_trials()
    text = say_method(store, [dataclasses.replace(first, optimizers=(ADAM,)), *map(follow, rest)])
    assert (
        "Another optimizer trained than the recipe asks for. 1 scored trial of the baseline: "
        f"{ADAM}."
    ) in text


def test_a_run_of_an_older_version_is_said_to_have_no_record(make_run: MakeRun) -> None:
    store = make_run(separate)
    text = say_method(store, store.read_trials())
    assert "This run has no record of the optimizer that trained." in text


def test_what_a_variant_changes_in_the_recipe_is_said(make_run: MakeRun) -> None:
    fast = dataclasses.replace(BATCHNORM, recipe=RecipeChange(momentum=0.9))
    store = make_run(separate, variants=(BASELINE, fast))
    text = say_method(store, store.read_trials())
    assert "The recipe asks for SGD with momentum 0 and weight decay 0, a constant" in text
    assert "Variants change it: batchnorm: momentum 0.9." in text
