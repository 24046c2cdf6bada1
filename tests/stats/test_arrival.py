import math

import pytest

from bnbench.stats.arrival import choose_target, find_arrivals


def test_a_trial_arrives_at_the_first_epoch_at_or_above_the_target() -> None:
    accuracy = [[0.5, 0.8, 0.9], [0.8, 0.7, 0.7], [0.5, 0.6, 0.7], [math.nan, 0.9, 0.9]]
    assert find_arrivals(accuracy, 0.8) == (2, 1, None, 2)


def test_nothing_is_interpolated_between_epochs() -> None:
    assert find_arrivals([[0.0, 1.0]], 0.001) == (2,)


def test_a_diverged_trial_never_arrives() -> None:
    assert find_arrivals([[math.nan, math.nan]], 0.0) == (None,)


def test_a_target_in_percent_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"target_accuracy: expected a fraction in \[0, 1\], got 85"
    ):
        find_arrivals([[0.5]], 85)


@pytest.mark.parametrize(
    ("bests", "target", "num_arriving"),
    [
        ([0.8], 0.8, 1),
        ([0.7, 0.8], 0.8, 1),
        ([0.6, 0.7, 0.8], 0.7, 2),
        ([0.5, 0.6, 0.7, 0.8], 0.7, 2),
        ([0.5, 0.7, 0.7, 0.8], 0.7, 3),
    ],
)
def test_half_of_the_baseline_trials_arrive_at_the_target(
    bests: list[float], target: float, num_arriving: int
) -> None:
    accuracy = [[0.1, best, 0.2] for best in bests]
    assert choose_target(accuracy) == target
    arrivals = find_arrivals(accuracy, target)
    assert sum(epoch is not None for epoch in arrivals) == num_arriving


def test_there_is_no_target_if_most_trials_diverged_at_once() -> None:
    assert choose_target([[math.nan], [math.nan], [0.5]]) is None
    assert choose_target([[math.nan], [0.4], [0.5]]) == 0.4
