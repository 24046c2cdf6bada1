import numpy as np

from bnbench.stats.medians import find_medians, find_pooled_medians


def test_medians_are_numpys_whatever_is_missing() -> None:
    values = np.random.default_rng(0).random((50, 9))
    assert np.array_equal(find_medians(values), np.median(values, axis=1))
    values[np.random.default_rng(1).random((50, 9)) < 0.3] = np.nan
    assert np.array_equal(find_medians(values), np.nanmedian(values, axis=1))


def test_a_row_without_a_number_has_no_median() -> None:
    medians = find_medians(np.array([[1.0, np.nan], [np.nan, np.nan]]))
    assert medians[0] == 1.0
    assert np.isnan(medians[1])


def test_a_pooled_median_is_over_all_epochs_of_the_seeds_drawn() -> None:
    seconds = np.array([[1.0, 2.0], [3.0, 10.0]])
    seeds = np.array([[0, 0], [0, 1], [1, 1]])
    assert find_pooled_medians(seconds, seeds).tolist() == [1.5, 2.5, 6.5]
