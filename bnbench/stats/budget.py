"""The best of a number of tuning trials: what a tuning budget is expected to reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import FloatArray, read_accuracy_pair
from bnbench.stats.estimates import Estimate
from bnbench.stats.learning_rate import CHANCE_ACCURACY, fill_diverged
from bnbench.stats.means import estimate_means


@dataclass(frozen=True)
class BudgetSummary:
    """What both variants are expected to reach with one tuning budget."""

    num_trials: int
    """The budget: tuning trials per variant, each of another recipe, of which the best counts."""
    baseline: Estimate
    """Expected validation accuracy of the baseline's best trial, a fraction."""
    candidate: Estimate
    difference: Estimate
    """Candidate minus baseline."""


def weigh_best(num_trials: int, budgets: ArrayLike) -> FloatArray:
    """Weigh sorted values so that their sum is the expected maximum of some of them.

    Of n values in ascending order, the i-th is the greatest of k distinct ones drawn at random with
    probability ``C(i - 1, k - 1) / C(n, k)``. If the n values are independent draws, the weighted
    sum has no bias. Dodge et al. draw k values with replacement (``(i / n)^k - ((i - 1) / n)^k``).
    That draws the same value twice at times, so its result is too low.

    Args:
        num_trials: n, at least 1.
        budgets: shape (num_budgets,), whole numbers k in [1, n].

    Returns:
        Shape (num_trials, num_budgets); each column adds up to 1.

    Raises:
        ValueError: if a budget is outside [1, n].

    Source: Dodge et al. (2019), "Show Your Work: Improved Reporting of Experimental Results",
    arXiv 1909.03004, section 3; Tang et al. (2020), "Showing Your Work Doesn't Always Work",
    arXiv 2004.13705, for the estimator without bias.
    """
    sizes = np.asarray(budgets, dtype=np.float64)
    if not np.all((sizes >= 1) & (sizes <= num_trials)):
        raise ValueError(
            f"budgets: expected whole numbers in [1, {num_trials}], got {sizes.tolist()}"
        )
    weights = np.empty((num_trials, sizes.size))
    weights[-1] = sizes / num_trials
    for rank in range(num_trials - 1, 0, -1):
        # C(i - 1, k - 1) / C(i, k - 1) = (i - k + 1) / i; 0 where fewer than k values are left.
        weights[rank - 1] = weights[rank] * np.maximum(rank - sizes + 1, 0) / rank
    return weights


def estimate_budgets(
    baseline_accuracy: ArrayLike,
    candidate_accuracy: ArrayLike,
    generator: np.random.Generator,
    *,
    chance: float = CHANCE_ACCURACY,
) -> tuple[BudgetSummary, ...]:
    """Estimate the best validation accuracy of both variants for each tuning budget.

    A search with budget k tries k different recipes of a grid, drawn at random, each with one
    trial. Each seed gives one such search without bias (`weigh_best`); the estimate is the mean
    over seeds. The interval takes the grid as given. It is that of a mean over independent seeds
    (`estimate_means`): the bootstrap's from 10 seeds on, else Student's. So it holds however the
    trials of one seed are tied, as those at neighboring rates are.

    Args:
        baseline_accuracy: shape (num_recipes, num_seeds), fractions; NaN is diverged and counts as
            chance.
        candidate_accuracy: same shape, the same recipes and seeds in the same order.
        generator: source of the resamples.
        chance: accuracy of guessing, in (0, 1).

    Returns:
        One summary per budget from 1 to the number of recipes; without intervals for one seed.

    Raises:
        ValueError: if the shapes differ or a value is outside [0, 1].

    Source: see `weigh_best`.
    """
    pair = read_accuracy_pair(baseline_accuracy, candidate_accuracy, num_axes=2)
    num_recipes = len(pair[0])
    weights = weigh_best(num_recipes, np.arange(1, num_recipes + 1))
    filled = (fill_diverged(side, chance) for side in pair)
    baseline, candidate = (np.sort(each, axis=0).T @ weights for each in filled)
    estimates = (
        estimate_means(baseline, generator, bounds=(0.0, 1.0)),
        estimate_means(candidate, generator, bounds=(0.0, 1.0)),
        estimate_means(candidate - baseline, generator, bounds=(-1.0, 1.0)),
    )
    return tuple(
        BudgetSummary(budget, *of_budget)
        for budget, of_budget in enumerate(zip(*estimates, strict=True), start=1)
    )
