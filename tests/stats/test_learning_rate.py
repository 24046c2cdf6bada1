import math

import pytest

from bnbench.stats.learning_rate import choose_learning_rate, list_finalists

NAN = math.nan


def test_the_rate_with_the_highest_mean_is_chosen() -> None:
    assert choose_learning_rate([0.01, 0.1, 1.0], [[0.7, 0.7], [0.8, 0.9], [0.9, 0.5]]) == 0.1


def test_of_equal_rates_the_smallest_is_chosen() -> None:
    assert choose_learning_rate([0.01, 0.1, 1.0], [[0.5, 0.5], [0.8, 0.8], [0.8, 0.8]]) == 0.1


def test_a_diverged_trial_counts_as_chance_and_is_not_left_out() -> None:
    # (0.95 + 0.1) / 2 = 0.525 is less than 0.6
    assert choose_learning_rate([0.1, 1.0], [[0.6, 0.6], [0.95, NAN]]) == 0.1


def test_there_is_no_best_rate_if_no_trial_learned_anything() -> None:
    assert choose_learning_rate([0.1, 1.0], [[NAN, NAN], [0.1, 0.105]]) is None


@pytest.mark.parametrize("rates", [[0.1, 0.01], [0.1, 0.1], [0.0, 0.1], [-1.0, 0.1]], ids=str)
def test_rates_must_ascend_from_above_zero(rates: list[float]) -> None:
    with pytest.raises(
        ValueError, match="learning_rates: expected positive, strictly ascending rates, got"
    ):
        choose_learning_rate(rates, [[0.5], [0.5]])


def test_each_rate_needs_its_row() -> None:
    with pytest.raises(ValueError, match=r"each of the 3 learning rates, got shape \(2, 1\)"):
        choose_learning_rate([0.01, 0.1, 1.0], [[0.5], [0.5]])


def test_only_rates_with_the_most_seeds_are_chosen() -> None:
    accuracy = [[0.9, 0.9, NAN], [0.8, 0.8, 0.8], [0.7, 0.7, 0.9]]
    assert choose_learning_rate([0.01, 0.1, 1.0], accuracy, [2, 3, 3]) == 0.1


def test_finalists_are_the_best_rates_and_of_equal_ones_the_smaller() -> None:
    rates, accuracy = [0.01, 0.1, 1.0, 10.0], [[0.5], [0.8], [0.5], [0.9]]
    assert list_finalists(rates, accuracy, 3) == (0.01, 0.1, 10.0)
    assert list_finalists(rates, accuracy, 9) == tuple(rates)
    assert list_finalists(rates, [[0.1], [NAN], [0.1], [NAN]], 3) == ()


def test_among_many_classes_less_is_more_than_guessing() -> None:
    accuracy = [[0.02, 0.021], [0.08, NAN]]
    assert choose_learning_rate([0.1, 1.0], accuracy) is None
    # The second rate's mean is (0.08 + 0.02) / 2, with the one that diverged at chance.
    assert choose_learning_rate([0.1, 1.0], accuracy, chance=0.02) == 1.0
    assert list_finalists([0.1, 1.0], accuracy, 1, chance=0.02) == (1.0,)


def test_among_two_classes_a_half_is_guessing() -> None:
    assert choose_learning_rate([0.1, 1.0], [[0.52, 0.5], [0.9, NAN]], chance=0.5) == 1.0
    assert choose_learning_rate([0.1, 1.0], [[0.52, 0.5], [0.54, NAN]], chance=0.5) is None
