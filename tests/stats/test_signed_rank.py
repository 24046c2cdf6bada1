import itertools

import numpy as np
import pytest
from scipy import stats

from bnbench.stats.signed_rank import average_pairs, count_needed, find_interval_ends


def test_walsh_averages_are_the_means_of_every_two_values_in_order() -> None:
    assert average_pairs(np.array([4.0, 0.0, 1.0])).tolist() == [0.0, 0.5, 1.0, 2.0, 2.5, 4.0]


def test_the_interval_leaves_out_as_many_averages_as_the_exact_distribution_allows() -> None:
    # Of the 32 equally likely sums of ranks 1 to 5, one is 0, one is 1: P(sum <= 1) = 2/32.
    averages = average_pairs(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert find_interval_ends(averages, 5, 2 / 32) == (averages[1], averages[-2])
    assert find_interval_ends(averages, 5, 1 / 32) == (1.0, 5.0)
    assert find_interval_ends(averages, 5, 0.99 / 32) is None


@pytest.mark.parametrize("rate", [0.05, 0.005, 0.0005])
def test_the_interval_is_the_one_that_the_signed_rank_test_of_scipy_inverts(rate: float) -> None:
    values = np.random.default_rng(3).normal(0.3, 1.0, 18)
    low, _ = find_interval_ends(average_pairs(values), 18, rate) or (np.nan, np.nan)
    for shift, is_rejected in ((low - 1e-9, True), (low + 1e-9, False)):
        found = stats.wilcoxon(values - shift, alternative="greater", method="exact")
        assert bool(found.pvalue <= rate) is is_rejected


@pytest.mark.parametrize(("rate", "count"), [(1 / 32, 5), (0.99 / 32, 6), (0.01 / 28, 12)])
def test_so_many_values_are_needed_that_all_on_one_side_are_rare_enough(
    rate: float, count: int
) -> None:
    assert count_needed(rate) == count
    values = np.arange(1.0, count + 1.0)
    assert find_interval_ends(average_pairs(values), count, rate) is not None
    assert find_interval_ends(average_pairs(values[1:]), count - 1, rate) is None


@pytest.mark.parametrize("peak", [1.0, 0.3], ids=["two points", "two points and zero"])
def test_with_few_distinct_values_the_error_rate_still_holds(peak: float) -> None:
    # All outcomes of eight values of -1, 0 and 1, with their probabilities.
    points = {-1.0: peak / 2, 1.0: peak / 2} | ({0.0: 1.0 - peak} if peak < 1.0 else {})
    wrong = 0.0
    for values in itertools.product(points, repeat=8):
        ends = find_interval_ends(average_pairs(np.array(values)), 8, 0.02)
        if ends is not None and ends[0] > 0.0:
            wrong += float(np.prod([points[value] for value in values]))
    assert wrong <= 0.02
