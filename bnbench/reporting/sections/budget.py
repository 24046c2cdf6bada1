"""The difference of two networks against the tuning budget, from the trials of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bnbench import stats
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
MIN_SEEDS = 4
"""Seeds below which Student's interval of their mean is wider than two of their deviations."""


@dataclass(frozen=True)
class SearchSummary:
    """What random search on the grid of some runs is expected to reach."""

    baseline: str
    candidate: str
    num_rates: int
    schedules: tuple[str, ...]
    num_seeds: int
    """Seeds that every recipe of the grid was tried with."""
    budgets: tuple[stats.BudgetSummary, ...]
    """One per number of trials, up to the recipes of the grid."""


def select_searches(runs: Sequence[RunTrials]) -> list[RunTrials]:
    """Select the runs that tuned the same networks with recipes that differ in schedule alone.

    Runs that differ otherwise from the first tuned one, in epochs for instance, are left out.
    """
    tuned = [run for run in runs if run.study.tuning is not None]
    return [run for run in tuned if _outline(run.study) == _outline(tuned[0].study)]


def summarize_search(searches: Sequence[RunTrials]) -> SearchSummary | None:
    """Summarize the search over learning rates and schedules.

    Only trials that were planned before any result count: rates beside the best one, and further
    seeds of the best rates, were tried because of what the others gave, so they are no random
    draws.

    Args:
        searches: from `select_searches`.

    Returns:
        None if the runs share no tuning seed, or have trials of fewer than two recipes.
    """
    tunings = [run.study.tuning for run in searches if run.study.tuning is not None]
    seeds = [
        seed
        for tuning in tunings[:1]
        for seed in tuning.first_seeds
        if all(seed in other.first_seeds for other in tunings)
    ]
    recipes = [(place, rate) for place, each in enumerate(tunings) for rate in each.learning_rates]
    if len(recipes) < 2 or not seeds:
        return None
    baseline, candidate = (variant.name for variant in searches[0].study.variants[:2])
    accuracy = {}
    for name in (baseline, candidate):
        reached = [dict(_list_accuracies(run, name)) for run in searches]
        accuracy[name] = [
            [reached[place].get((rate, seed), np.nan) for seed in seeds] for place, rate in recipes
        ]
    chance = searches[0].data.chance
    return SearchSummary(
        baseline=baseline,
        candidate=candidate,
        num_rates=len({rate for _, rate in recipes}),
        schedules=tuple(dict.fromkeys(run.study.recipe.schedule for run in searches)),
        num_seeds=len(seeds),
        budgets=stats.estimate_budgets(
            accuracy[baseline], accuracy[candidate], make_generator(), chance=chance
        ),
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
    what = "rates and schedules" if summary.schedules[1:] else "rates"
    how = (
        f"A search with k trials draws k different {what} from the grid at random, the same for "
        "both networks, and keeps the best trial. The figure shows the validation accuracy that "
        f"it is expected to reach: {format_count(summary.num_rates, 'rate')}, "
        f"{join_words(summary.schedules)} schedule, mean over "
        f"{format_count(summary.num_seeds, 'seed')} (Dodge et al. 2019, arXiv 1909.03004, section "
        "3; drawn without replacement, which has no bias: Tang et al. 2020, arXiv 2004.13705). A "
        "trial that failed counts as chance."
    )
    few = " From so few seeds they are wide." if summary.num_seeds < MIN_SEEDS else ""
    limits = (
        f"Brackets hold 95 % intervals over seeds; the grid is taken as given.{few} A search keeps "
        "its best trial, so luck raises what it shows. The study itself chooses by the mean over "
        "seeds, among finer rates."
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
        study.data,
        tuning and (tuning.num_validation_images, tuning.split_seed),
    )


def _list_accuracies(run: RunTrials, variant: str) -> list[tuple[tuple[float, int], float]]:
    """The final accuracy of each tuning trial that finished, by rate and seed."""
    return [
        ((record.trial.recipe.learning_rate, record.trial.seed), record.epochs[-1].test_accuracy)
        for record in run.select("tune", variant, run.study.devices[0])
        if record.status == "finished"
    ]


def _list_doublings(greatest: int) -> list[int]:
    """1, 2, 4, ... and the greatest."""
    numbers = [2**power for power in range(greatest.bit_length())]
    return sorted({*numbers, greatest})
