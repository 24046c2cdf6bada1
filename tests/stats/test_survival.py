import numpy as np
import pytest

from bnbench.stats.estimates import Method
from bnbench.stats.survival import estimate_median_time

# Weeks in remission of acute leukemia, Freireich et al. (1963), Blood 21(6): 21 patients on
# 6-mercaptopurine and 21 on placebo. A minus sign marks a censored time.
MERCAPTOPURINE = [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23]
MERCAPTOPURINE += [-25, -32, -32, -34, -35]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def test_the_leukemia_trial_has_its_published_median_of_23_weeks() -> None:
    weeks = np.array(MERCAPTOPURINE)
    estimate = estimate_median_time(np.abs(weeks), weeks > 0)
    assert estimate.value == 23.0
    # Log-log limits, as survival software gives them: 13 weeks to "not reached".
    assert (estimate.low, estimate.high) == (13.0, None)
    assert estimate.method is Method.KAPLAN_MEIER
    assert estimate.count == 21


def test_the_leukemia_placebo_has_its_published_median_of_8_weeks() -> None:
    estimate = estimate_median_time(PLACEBO, np.ones(21, dtype=bool))
    assert (estimate.low, estimate.value, estimate.high) == (4.0, 8.0, 11.0)


def test_without_censoring_the_median_is_the_least_time_by_which_half_arrived() -> None:
    assert estimate_median_time([4, 1, 3, 2], [True] * 4).value == 2.0
    assert estimate_median_time([3, 1, 2], [True] * 3).value == 2.0


def test_a_censored_trial_counts_as_longer_than_observed() -> None:
    # S(1) = 3/4, S(2) = 3/4 * 2/3 = 1/2
    assert estimate_median_time([1, 2, 3, 3], [True, True, False, False]).value == 2.0
    # S(1) = 3/4; the trial lost at 2 leaves two: S(3) = 3/4 * 1/2
    assert estimate_median_time([1, 2, 3, 4], [True, False, True, False]).value == 3.0


def test_a_median_that_too_few_reach_is_none() -> None:
    estimate = estimate_median_time([5] * 8, [True] * 3 + [False] * 5)
    assert estimate.value is None
    assert estimate.high is None


def test_if_no_trial_arrives_there_is_neither_median_nor_interval() -> None:
    estimate = estimate_median_time([5] * 30, [False] * 30)
    assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert estimate.method is None


def test_if_all_arrive_at_once_the_interval_is_that_moment() -> None:
    estimate = estimate_median_time([1] * 30, [True] * 30)
    assert (estimate.low, estimate.value, estimate.high) == (1.0, 1.0, 1.0)


def test_fewer_than_six_trials_have_no_interval() -> None:
    assert not estimate_median_time([1, 2, 3, 4, 5], [True] * 5).has_interval
    assert estimate_median_time([1, 2, 3, 4, 5, 6], [True] * 6).has_interval


def test_half_is_half_despite_rounding() -> None:
    # S(3) = 9/10 * 7/9 * 5/7 = 1/2, which floating point makes a little more.
    times = [1, 2, 2, 3, 3, 4, 4, 5, 5, 5]
    arrived = [True, True, True, True, True, False, False, True, True, True]
    assert estimate_median_time(times, arrived).value == 3.0


def test_a_time_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="times: expected positive, finite times, got 0.0"):
        estimate_median_time([0.0, 1.0], [True, True])


def test_times_and_arrivals_of_different_length_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"arrived: expected shape \(2,\), as times has, got shape \(3,\)"
    ):
        estimate_median_time([1.0, 2.0], [True] * 3)


@pytest.mark.parametrize("censoring", ["at random", "at the end"])
def test_a_95_percent_interval_of_30_trials_covers_95_percent(censoring: str) -> None:
    # 1,500 samples: the simulation error is 0.56 points; two of them either way.
    generator = np.random.default_rng(1958)
    covered = 0
    for _ in range(1500):
        times = generator.exponential(size=30)
        limits = generator.exponential(7 / 3, size=30) if censoring == "at random" else 1.2
        estimate = estimate_median_time(np.minimum(times, limits), times <= limits)
        assert estimate.low is not None
        high = np.inf if estimate.high is None else estimate.high
        covered += estimate.low <= np.log(2) <= high
    assert 0.95 - 0.0112 <= covered / 1500 <= 0.95 + 2 * 0.0112
