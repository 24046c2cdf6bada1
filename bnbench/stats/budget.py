"""The best of a number of tuning trials: what a tuning budget is expected to reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import FloatArray, read_accuracy_pair
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    DEFAULT_NUM_RESAMPLES,
    Estimate,
    Method,
)
from bnbench.stats.learning_rate import fill_diverged
from bnbench.stats.resampling import draw_seeds, find_percentile_limits

TRIALS_PER_BUDGET = 10
"""Trials per unit of the greatest budget: with fewer, the intervals are too short."""


@dataclass(frozen=True)
class BudgetSummary:
    """What both variants are expected to reach with one tuning budget."""

    num_trials: int
    """The budget: tuning trials per variant, of which the best counts."""
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
    baseline_accuracy: ArrayLike, candidate_accuracy: ArrayLike, generator: np.random.Generator
) -> tuple[BudgetSummary, ...]:
    """Estimate the best validation accuracy of both variants for each tuning budget.

    The trials of both variants are resampled together. The interval is the percentile interval.
    Budgets go up to a tenth of the trials. In 400 simulated tunings of 195 trials (13 learning
    rates, spreads as in the fair study), the 95 % interval of the difference covered 96 % for
    1 trial, 94 % for 4 and 92 % for 16; that of one variant covered 86 % or more. For a quarter of
    the trials it covered 84 %.

    Args:
        baseline_accuracy: shape (num_trials,), fractions; NaN is diverged and counts as chance.
        candidate_accuracy: same shape, trials of the same recipes and seeds in the same order.
        generator: source of the resamples.

    Returns:
        One summary per budget from 1 trial on; empty for fewer than 10 trials.

    Raises:
        ValueError: if the shapes differ or a value is outside [0, 1].

    Source: see `weigh_best`.
    """
    pair = read_accuracy_pair(baseline_accuracy, candidate_accuracy, num_axes=1)
    baseline, candidate = (fill_diverged(side) for side in pair)
    count = baseline.size
    budgets = np.arange(1, count // TRIALS_PER_BUDGET + 1)
    if budgets.size == 0:
        return ()
    weights = weigh_best(count, budgets)
    draws = draw_seeds(count, DEFAULT_NUM_RESAMPLES, generator)
    values, resampled = [], []
    for side in (baseline, candidate):
        values.append(np.sort(side) @ weights)
        resampled.append(np.sort(side[draws], axis=1) @ weights)
    values.append(values[1] - values[0])
    resampled.append(resampled[1] - resampled[0])
    return tuple(
        BudgetSummary(
            int(budget),
            *(
                _estimate(float(value[place]), draw[:, place], count)
                for value, draw in zip(values, resampled, strict=True)
            ),
        )
        for place, budget in enumerate(budgets)
    )


def _estimate(value: float, resampled: FloatArray, count: int) -> Estimate:
    low, high = find_percentile_limits(resampled, count)
    return Estimate(
        value,
        None if low is None else min(low, value),
        None if high is None else max(high, value),
        DEFAULT_CONFIDENCE,
        Method.PERCENTILE,
        count,
    )
