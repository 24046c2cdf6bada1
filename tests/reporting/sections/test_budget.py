from dataclasses import replace
from typing import Any

import pytest

from bnbench.recipes import RecipeSpec
from bnbench.records import TrialRecord
from bnbench.reporting.sections.budget import compose_search, select_searches, summarize_search
from bnbench.reporting.trials import RunTrials
from bnbench.specs import StudySpec, TuningSpec
from tests.conftest import BASELINE, BATCHNORM, REFERENCE, SYNTHETIC, make_epochs

TUNING = TuningSpec((0.1, 1.0), seeds=(100, 101, 102), num_first_seeds=2, refine=True)
STUDY = StudySpec("tuned", (BASELINE, BATCHNORM), RecipeSpec(epochs=1), tuning=TUNING)


def tune(study: StudySpec, lift: float = 0.0) -> RunTrials:
    """The baseline is at 80 percent, 70 at rate 1; batch normalization is 10 points ahead.

    What was tried because of that, a finer rate and the third seed of the best one, gives 99.
    """
    both = [("baseline", "cpu"), ("batchnorm", "cpu")]
    grid = study.list_tuning_trials(REFERENCE, dict.fromkeys(both, (0.1, 1.0)), (100, 101))
    finer = study.list_tuning_trials(REFERENCE, dict.fromkeys(both, (0.14,)), (100, 101))
    finalists = study.list_tuning_trials(REFERENCE, dict.fromkeys(both, (0.1,)), (102,))
    records = []
    for trial in (*grid, *finer, *finalists):
        reached = 0.8 if trial.recipe.learning_rate == 0.1 else 0.7
        reached += lift + 0.1 * (trial.variant.name == "batchnorm")
        reached = reached if trial in grid else 0.99
        records.append(TrialRecord(trial, "finished", make_epochs([reached])))
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
    assert (summary.num_rates, summary.num_seeds) == (2, 2)
    assert summary.schedules == ("constant", "linear")
    # 80, 70, 82 and 72 percent: 76 on average; of the six pairs three have 82 as their best, two
    # 80 and one 72; of the four triples three have 82 and one 80.
    expected = [0.76, (3 * 0.82 + 2 * 0.80 + 0.72) / 6, (3 * 0.82 + 0.80) / 4, 0.82]
    assert [budget.baseline.value for budget in summary.budgets] == pytest.approx(expected)
    assert [budget.difference.value for budget in summary.budgets] == pytest.approx([0.1] * 4)


def test_trials_that_were_chosen_by_results_are_no_draws() -> None:
    summary = summarize_search([tune(STUDY)])
    assert summary is not None
    assert [budget.baseline.value for budget in summary.budgets] == pytest.approx([0.75, 0.8])


def test_runs_with_other_seeds_share_those_that_both_have() -> None:
    other = replace(STUDY, tuning=replace(TUNING, seeds=(101, 103, 104)))
    summary = summarize_search([tune(STUDY), tune(other)])
    assert summary is not None
    assert summary.num_seeds == 1


def test_without_enough_trials_there_is_no_section() -> None:
    single = replace(STUDY, tuning=replace(TUNING, learning_rates=(0.1,)))
    assert summarize_search([tune(single)]) is None
    other = replace(STUDY, tuning=replace(TUNING, seeds=(200, 201)))
    assert summarize_search([tune(STUDY), tune(other)]) is None
    assert summarize_search([]) is None
    assert compose_search(None) is None
