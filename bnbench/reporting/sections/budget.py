"""The difference of two networks against the tuning budget, from the trials of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bnbench import stats
from bnbench.records import TrialRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials, make_generator
from bnbench.reporting.wording import (
    format_count,
    format_percent,
    format_points,
    join_words,
    name_variant,
)
from bnbench.specs import StudySpec

TITLE = "Difference against the tuning budget"


@dataclass(frozen=True)
class SearchSummary:
    """What random search among the tuning trials of some runs is expected to reach."""

    baseline: str
    candidate: str
    num_trials: int
    """Trials per variant that the search draws from."""
    num_rates: int
    num_seeds: int
    schedules: tuple[str, ...]
    budgets: tuple[stats.BudgetSummary, ...]


def select_searches(runs: Sequence[RunTrials]) -> list[RunTrials]:
    """Select the runs that tuned the same networks with recipes that differ in schedule alone.

    Runs that differ otherwise from the first tuned one, in epochs for instance, are left out.
    """
    tuned = [run for run in runs if run.study.tuning is not None]
    return [run for run in tuned if _outline(run.study) == _outline(tuned[0].study)]


def summarize_search(searches: Sequence[RunTrials]) -> SearchSummary | None:
    """Summarize the search over learning rates and schedules.

    Rates between those of the grid are left out: they were tried because of what the grid gave, so
    they are no random draws.

    Args:
        searches: from `select_searches`.

    Returns:
        None if the trials are too few for budgets of one and two trials.
    """
    if not searches:
        return None
    baseline, candidate = (variant.name for variant in searches[0].study.variants[:2])
    of_baseline, of_candidate = (_list_grid(searches, name) for name in (baseline, candidate))
    shared = [key for key in of_baseline if key in of_candidate]
    if not shared:
        return None
    budgets = stats.estimate_budgets(
        [_get_accuracy(of_baseline[key]) for key in shared],
        [_get_accuracy(of_candidate[key]) for key in shared],
        make_generator(),
    )
    if len(budgets) < 2:
        return None
    return SearchSummary(
        baseline=baseline,
        candidate=candidate,
        num_trials=len(shared),
        num_rates=len({rate for _, rate, _ in shared}),
        num_seeds=len({seed for _, _, seed in shared}),
        schedules=tuple(dict.fromkeys(schedule for schedule, _, _ in shared)),
        budgets=budgets,
    )


def compose_search(summary: SearchSummary | None) -> Section | None:
    """The section of the report, or None where too little was tuned."""
    if summary is None:
        return None
    least, greatest = summary.budgets[0], summary.budgets[-1]
    candidate, baseline = name_variant(summary.candidate), name_variant(summary.baseline)
    found = (
        f"With a single tuning trial, {candidate} is expected to differ from {baseline} by "
        f"{format_points(least.difference)}; with the best of {greatest.num_trials} trials, by "
        f"{format_points(greatest.difference)}."
    )
    what = "learning rate and schedule" if summary.schedules[1:] else "learning rate"
    how = (
        f"A search of k trials draws {what} at random from the grid, the same for both networks, "
        "and keeps the best. The figure shows the validation accuracy that this is expected to "
        f"reach, computed from {summary.num_trials:,} trials of each network: "
        f"{format_count(summary.num_rates, 'rate')} with {format_count(summary.num_seeds, 'seed')} "
        f"each, {join_words(summary.schedules)} schedule (Dodge et al. 2019, arXiv 1909.03004, "
        "section 3; drawn without replacement, which has no bias: Tang et al. 2020, arXiv "
        "2004.13705). A trial that failed counts as chance."
    )
    limits = (
        "A search keeps its best trial, not its best rate on average, so luck raises what it "
        "shows. The study itself chooses by the mean of all seeds. Brackets hold 95 % of the "
        "resamples of the trials. Budgets above a tenth of the trials are left out, since their "
        "intervals would be too short."
    )
    shown = {each.num_trials: each for each in summary.budgets}
    return Section(
        TITLE,
        (found, how, limits),
        figure="budget",
        table=Table.from_rows(
            {
                "tuning trials": str(number),
                summary.baseline: format_percent(shown[number].baseline.value),
                summary.candidate: format_percent(shown[number].candidate.value),
                "difference, points": format_points(shown[number].difference).replace(
                    " points", ""
                ),
            }
            for number in _list_doublings(greatest.num_trials)
        ),
    )


def _outline(study: StudySpec) -> tuple[object, ...]:
    """What runs must share for their tuning trials to be one search."""
    tuning = study.tuning
    return (
        study.variants,
        study.devices[0],
        replace(study.recipe, schedule="constant", warmup_steps=0),
        tuning and (tuning.num_validation_images, tuning.split_seed),
    )


def _list_grid(
    searches: Sequence[RunTrials], variant: str
) -> dict[tuple[str, float, int], TrialRecord]:
    """The tuning trials at rates of the grid, by schedule, rate and seed."""
    return {
        (run.study.recipe.schedule, record.trial.recipe.learning_rate, record.trial.seed): record
        for run in searches
        for record in run.select("tune", variant, run.study.devices[0])
        if run.study.tuning and record.trial.recipe.learning_rate in run.study.tuning.learning_rates
    }


def _get_accuracy(record: TrialRecord) -> float:
    return record.epochs[-1].test_accuracy if record.status == "finished" else np.nan


def _list_doublings(greatest: int) -> list[int]:
    """1, 2, 4, ... and the greatest."""
    numbers = [2**power for power in range(greatest.bit_length())]
    return sorted({*numbers, greatest})
