from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from bnbench.stats import estimate_budgets, weigh_best


def test_the_best_of_two_of_three_is_worked_by_hand() -> None:
    # Pairs of 1, 2, 4: (1, 2) has 2 as its best, (1, 4) and (2, 4) have 4: (2 + 4 + 4) / 3.
    assert np.array([1.0, 2.0, 4.0]) @ weigh_best(3, [1, 2, 3]) == pytest.approx(
        [7 / 3, 10 / 3, 4.0]
    )


def test_weights_are_the_shares_of_all_draws() -> None:
    num_trials = 7
    for budget in range(1, num_trials + 1):
        draws = list(combinations(range(num_trials), budget))
        shares = [
            float(Fraction(sum(max(draw) == rank for draw in draws), len(draws)))
            for rank in range(num_trials)
        ]
        assert weigh_best(num_trials, [budget])[:, 0] == pytest.approx(shares)


def test_the_expected_best_has_no_bias() -> None:
    """The best of 5 uniform draws is 5 / 6 on average; the plug-in estimate of 20 is too low."""
    values = np.sort(np.random.default_rng(0).random((40_000, 20)), axis=1)
    ranks = np.arange(1, 21)
    plug_in = values @ ((ranks / 20) ** 5 - ((ranks - 1) / 20) ** 5)
    assert (values @ weigh_best(20, [5]))[:, 0].mean() == pytest.approx(5 / 6, abs=1e-3)
    assert plug_in.mean() < 5 / 6 - 0.01


@pytest.mark.parametrize("budget", [0, 4])
def test_a_budget_beyond_the_trials_is_refused(budget: int) -> None:
    with pytest.raises(ValueError, match=r"budgets: expected whole numbers in \[1, 3\]"):
        weigh_best(3, [budget])


def test_many_trials_neither_overflow_nor_lose_weight() -> None:
    assert weigh_best(5000, [1, 250, 500]).sum(axis=0) == pytest.approx([1.0, 1.0, 1.0])


def test_one_trial_is_expected_to_reach_the_mean_and_two_more_than_that() -> None:
    baseline = np.linspace(0.5, 0.69, 20)
    found = estimate_budgets(baseline, baseline + 0.1, np.random.default_rng(0))
    assert [each.num_trials for each in found] == [1, 2]
    assert found[0].baseline.value == pytest.approx(0.595)
    # Two of twenty equally spaced ones: 0.5 + 0.01 * (2 * 21 / 3 - 1).
    assert found[1].baseline.value == pytest.approx(0.63)
    for each in found:
        # The trials are resampled together, so their difference does not vary.
        assert (each.difference.low, each.difference.high) == pytest.approx((0.1, 0.1))
        assert each.baseline.low < each.baseline.value < each.baseline.high  # type: ignore[operator]


def test_a_trial_that_failed_counts_as_chance() -> None:
    accuracy = np.full(10, 0.8)
    failed = np.where(np.arange(10) < 4, np.nan, accuracy)
    (found,) = estimate_budgets(failed, accuracy, np.random.default_rng(0))
    assert found.baseline.value == pytest.approx(0.6 * 0.8 + 0.4 * 0.1)


def test_fewer_than_ten_trials_give_no_budget() -> None:
    assert estimate_budgets([0.5] * 9, [0.6] * 9, np.random.default_rng(0)) == ()


@pytest.mark.slow
def test_the_interval_of_the_difference_covers_it() -> None:
    """Uniform accuracies: the best of 4 is 0.8 of the width; 95 % of the intervals hold it."""
    hits = 0
    for number in range(100):
        rng = np.random.default_rng([7, number])
        baseline, candidate = 0.5 * rng.random(60), 0.2 + 0.5 * rng.random(60)
        found = estimate_budgets(baseline, candidate, np.random.default_rng(0))[3].difference
        hits += found.low <= 0.2 <= found.high  # type: ignore[operator]
    assert hits >= 88
