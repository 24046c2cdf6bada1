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
    # By seed: the mean is 7/30 and 11/30; the best of two (2 + 4 + 4) / 30 and (3 + 6 + 6) / 30;
    # the best of three 4/10 and 6/10.
    baseline = np.array([[0.1, 0.2], [0.2, 0.3], [0.4, 0.6]])
    found = estimate_budgets(baseline, baseline + 0.1, np.random.default_rng(0))
    assert [each.num_trials for each in found] == [1, 2, 3]
    assert [each.baseline.value for each in found] == pytest.approx([9 / 30, 12.5 / 30, 0.5])
    for each in found:
        # Seeds are drawn for both together, so their difference does not vary.
        ends = (each.difference.low, each.difference.value, each.difference.high)
        assert ends == pytest.approx((0.1, 0.1, 0.1))
        assert each.baseline.low < each.baseline.value < each.baseline.high  # type: ignore[operator]


def test_few_seeds_have_students_interval() -> None:
    # Two values 0.02 apart: 0.51 +- 12.706 * 0.01.
    found = estimate_budgets([[0.50, 0.52]], [[0.6, 0.6]], np.random.default_rng(0))[0]
    assert (found.baseline.low, found.baseline.high) == pytest.approx((0.38294, 0.63706), abs=1e-5)


def test_trials_of_one_seed_may_be_tied() -> None:
    """All recipes of a seed share its luck: the interval is that of the seeds' means."""
    luck = 0.01 * np.arange(5.0)
    accuracy = np.array([[0.5], [0.6], [0.7]]) + luck
    found = estimate_budgets(accuracy, accuracy, np.random.default_rng(0))
    widths = [each.baseline.high - each.baseline.low for each in found]  # type: ignore[operator]
    # t(4) = 2.776 times the deviation 0.0158 / sqrt(5), twice.
    assert widths == pytest.approx([0.03926] * 3, abs=1e-4)


def test_a_trial_that_failed_counts_as_chance() -> None:
    accuracy = np.full((5, 1), 0.8)
    failed = np.where(np.arange(5)[:, None] < 2, np.nan, accuracy)
    found = estimate_budgets(failed, accuracy, np.random.default_rng(0))
    assert found[0].baseline.value == pytest.approx(0.6 * 0.8 + 0.4 * 0.1)
    # Two of five: both failed in one of ten draws.
    assert found[1].baseline.value == pytest.approx(0.9 * 0.8 + 0.1 * 0.1)


def test_one_seed_has_no_interval() -> None:
    found = estimate_budgets([[0.5], [0.6]], [[0.6], [0.7]], np.random.default_rng(0))
    assert not any(each.difference.has_interval for each in found)
