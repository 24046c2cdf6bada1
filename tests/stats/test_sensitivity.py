import math

import numpy as np
import pytest

from bnbench.stats.sensitivity import RateSensitivity, summarize_sensitivity

NAN = math.nan


def summarize(accuracies: list[float], rates: list[float] | None = None) -> RateSensitivity:
    """Summarize a grid of decades from 0.001 with one trial at each rate."""
    if rates is None:
        rates = [0.001 * 10**i for i in range(len(accuracies))]
    return summarize_sensitivity(rates, np.array(accuracies)[:, None], np.random.default_rng(0))


def test_the_band_holds_the_rates_within_two_points_of_the_best() -> None:
    sensitivity = summarize([0.50, 0.88, 0.90, 0.89, 0.80])
    assert sensitivity.best_rate == 0.1
    assert [rate.works for rate in sensitivity.rates] == [False, True, True, True, False]
    band = sensitivity.band
    assert band is not None
    assert (band.low_rate, band.high_rate, band.num_rates) == (0.01, 1.0, 3)
    assert band.decades == pytest.approx(2.0)
    assert not band.reaches_lowest
    assert not band.reaches_highest


def test_a_rate_exactly_two_points_below_the_best_works() -> None:
    # Each trial is 0.02 below; the mean, by rounding, a hair more.
    accuracy = [[0.9033, 0.951, 0.897], [0.9233, 0.971, 0.917]]
    sensitivity = summarize_sensitivity([0.01, 0.1], accuracy, np.random.default_rng(0))
    assert sensitivity.rates[0].works


def test_the_band_ends_at_the_first_rate_that_fails() -> None:
    band = summarize([0.89, 0.50, 0.90, 0.89]).band
    assert band is not None
    assert (band.low_rate, band.high_rate) == (0.1, 1.0)


def test_a_band_at_the_edge_of_the_grid_says_so() -> None:
    band = summarize([0.90, 0.89, 0.5]).band
    assert band is not None
    assert band.reaches_lowest
    assert not band.reaches_highest


def test_a_single_rate_is_a_band_of_no_decades() -> None:
    band = summarize([0.5, 0.9, 0.5]).band
    assert band is not None
    assert (band.decades, band.num_rates) == (0.0, 1)


def test_the_rates_at_which_half_and_all_trials_diverge_are_found() -> None:
    accuracy = [[0.9, 0.9, 0.9], [0.8, 0.8, NAN], [0.7, NAN, NAN], [NAN, NAN, 0.1]]
    sensitivity = summarize_sensitivity([0.1, 0.2, 0.4, 0.8], accuracy, np.random.default_rng(0))
    assert sensitivity.half_diverge_rate == 0.4
    assert sensitivity.all_diverge_rate == 0.8
    assert [rate.num_diverged for rate in sensitivity.rates] == [0, 1, 2, 3]


def test_a_trial_that_hardly_moved_at_a_small_rate_has_not_diverged() -> None:
    sensitivity = summarize([0.1, 0.9, 0.8])
    assert sensitivity.half_diverge_rate is None
    assert sensitivity.all_diverge_rate is None


def test_a_variant_that_diverges_everywhere_has_no_best_rate_and_no_band() -> None:
    sensitivity = summarize([NAN, NAN])
    assert (sensitivity.best_rate, sensitivity.band) == (None, None)
    assert sensitivity.all_diverge_rate == 0.001
    assert [rate.works for rate in sensitivity.rates] == [False, False]


def test_the_mean_of_a_rate_counts_a_diverged_trial_as_chance() -> None:
    sensitivity = summarize_sensitivity([0.1], [[0.9, NAN]], np.random.default_rng(0))
    assert sensitivity.rates[0].accuracy.value == pytest.approx(0.5)
    assert sensitivity.rates[0].accuracy.count == 2


def test_a_rate_counts_with_the_seeds_it_was_tried_with() -> None:
    accuracy = [[0.7, NAN, NAN, NAN], [0.8, 0.8, 0.9, 0.9], [0.9, 0.1, NAN, NAN]]
    found = summarize_sensitivity([0.1, 0.2, 0.4], accuracy, np.random.default_rng(0), [2, 4, 2])
    assert [rate.num_trials for rate in found.rates] == [2, 4, 2]
    assert [rate.num_diverged for rate in found.rates] == [1, 0, 1]
    assert [rate.accuracy.value for rate in found.rates] == pytest.approx([0.4, 0.85, 0.5])
    assert found.best_rate == 0.2
    assert found.half_diverge_rate == 0.4


def test_chance_is_that_of_the_data() -> None:
    accuracy = [[0.05, 0.06], [0.02, NAN]]
    found = summarize_sensitivity([0.1, 1.0], accuracy, np.random.default_rng(0), chance=0.02)
    assert (found.best_rate, found.chance) == (0.1, 0.02)
    assert [rate.num_diverged for rate in found.rates] == [0, 2]
    assert found.rates[1].accuracy.value == pytest.approx(0.02)
