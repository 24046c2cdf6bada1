from dataclasses import replace
from typing import Any

from bnbench.recipes import RecipeSpec
from bnbench.records import TrialRecord
from bnbench.reporting.sections.budget import compose_search, select_searches, summarize_search
from bnbench.reporting.trials import RunTrials
from bnbench.specs import StudySpec, TuningSpec
from tests.conftest import BASELINE, BATCHNORM, REFERENCE, SYNTHETIC, make_epochs

TUNING = TuningSpec((0.1, 1.0), seeds=tuple(range(100, 110)), refine=True)
STUDY = StudySpec("tuned", (BASELINE, BATCHNORM), RecipeSpec(epochs=1), tuning=TUNING)


def tune(study: StudySpec, lift: float = 0.0, finer: float | None = None) -> RunTrials:
    """Trials at 80 percent, batch normalization 10 points more; a finer rate gives 99."""
    trials = [*study.list_tuning_trials(REFERENCE)]
    if finer is not None:
        both = {("baseline", "cpu"): (finer,), ("batchnorm", "cpu"): (finer,)}
        trials += study.list_tuning_trials(REFERENCE, both)
    records = [
        TrialRecord(
            trial,
            "finished",
            make_epochs(
                [
                    0.99
                    if trial.recipe.learning_rate == finer
                    else 0.8 + lift + 0.1 * (trial.variant.name == "batchnorm")
                ]
            ),
        )
        for trial in trials
    ]
    return RunTrials(study, SYNTHETIC, tuple(records))


def change_recipe(**changes: Any) -> StudySpec:
    return replace(STUDY, recipe=replace(STUDY.recipe, **changes))


def test_runs_that_differ_in_schedule_alone_are_one_search() -> None:
    constant, linear = tune(STUDY), tune(change_recipe(schedule="linear"), lift=0.02)
    longer = tune(change_recipe(schedule="linear", epochs=2))
    untuned = RunTrials(replace(STUDY, tuning=None), SYNTHETIC, ())
    found = select_searches([untuned, constant, linear, longer])
    assert found == [constant, linear]
    summary = summarize_search(found)
    assert summary is not None
    assert (summary.num_trials, summary.num_rates, summary.num_seeds) == (40, 2, 10)
    assert summary.schedules == ("constant", "linear")
    # Half of the trials have 2 points more: 81 percent on average; the best of two is at 82 unless
    # both are of the first half, 20 * 19 of 40 * 39 ordered pairs.
    values = [budget.baseline.value for budget in summary.budgets[:2]]
    assert values[0] is not None
    assert values[1] is not None
    assert round(values[0], 10) == 0.81
    assert round(values[1], 10) == round(0.82 - 0.02 * 380 / 1560, 10)
    assert {round(b.difference.value or 0.0, 10) for b in summary.budgets} == {0.1}


def test_rates_that_were_tried_for_their_neighbors_are_no_draws() -> None:
    summary = summarize_search([tune(STUDY, finer=0.14)])
    assert summary is not None
    assert summary.num_trials == 20
    assert max(budget.baseline.value or 0.0 for budget in summary.budgets) < 0.81


def test_without_enough_trials_there_is_no_section() -> None:
    few = replace(STUDY, tuning=replace(TUNING, seeds=(100, 101)))
    assert summarize_search([tune(few)]) is None
    assert summarize_search([]) is None
    assert compose_search(None) is None
