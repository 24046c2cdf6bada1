import math

import numpy as np
import pytest

from bnbench.stats.arrival import choose_target
from bnbench.stats.convergence import summarize_convergence


def test_time_to_target_is_reported_in_epochs_steps_and_seconds() -> None:
    accuracy = [[0.5, 0.8], [0.8, 0.9], [0.5, 0.9]]
    seconds = [[3.0, 4.0], [5.0, 5.0], [2.0, 2.5]]
    convergence = summarize_convergence(accuracy, seconds, 0.8, steps_per_epoch=938)
    assert convergence.arrival_epochs == (2, 1, 2)
    assert (convergence.num_trials, convergence.num_arrived) == (3, 3)
    assert convergence.epochs.value == 2.0
    assert convergence.steps.value == 1876.0
    # 3 + 4, 5 and 2 + 2.5 seconds
    assert convergence.train_seconds.value == 5.0


def test_a_trial_that_never_arrives_is_censored_after_its_last_epoch() -> None:
    accuracy = [[0.8, 0.8], [0.5, 0.8], [0.5, 0.6]]
    convergence = summarize_convergence(accuracy, np.ones((3, 2)), 0.8, steps_per_epoch=10)
    assert convergence.arrival_epochs == (1, 2, None)
    assert convergence.num_arrived == 2
    assert convergence.epochs.value == 2.0


def test_a_target_that_few_trials_reach_has_no_median() -> None:
    convergence = summarize_convergence([[0.9], [0.1], [0.1]], np.ones((3, 1)), 0.8, 10)
    assert convergence.epochs.value is None
    assert convergence.train_seconds.value is None
    assert convergence.num_arrived == 1


def test_a_trial_that_diverged_early_is_not_dropped() -> None:
    # The first trial diverged in epoch 1 and stopped there: it still counts as slower than both.
    nan = math.nan
    accuracy = [[nan, nan, nan], [0.1, 0.1, 0.9], [0.1, 0.9, 0.9]]
    seconds = [[1.0, nan, nan], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    convergence = summarize_convergence(accuracy, seconds, 0.8, steps_per_epoch=10)
    assert convergence.epochs.value == 3.0
    assert convergence.train_seconds.value == 3.0


def test_half_of_the_baseline_trials_reach_the_chosen_target() -> None:
    accuracy = np.random.default_rng(0).random((8, 5))
    target = choose_target(accuracy)
    assert target is not None
    convergence = summarize_convergence(accuracy, np.ones((8, 5)), target, steps_per_epoch=10)
    assert convergence.num_arrived == 4
    assert convergence.epochs.value is not None


def test_a_variant_that_diverged_in_its_first_epoch_has_no_seconds() -> None:
    nan = np.full((8, 5), np.nan)
    convergence = summarize_convergence(nan, nan, 0.8, steps_per_epoch=10)
    assert (convergence.num_trials, convergence.num_arrived) == (8, 0)
    assert convergence.train_seconds.value is None
    assert convergence.epochs.value is None


def test_seconds_missing_before_an_arrival_are_refused() -> None:
    with pytest.raises(ValueError, match="up to a trial's arrival, got NaN in row 0"):
        summarize_convergence([[0.5, 0.9]], [[math.nan, 1.0]], 0.8, steps_per_epoch=10)


def test_an_epoch_that_took_no_time_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"train_seconds: expected positive seconds or NaN, got 0.0"
    ):
        summarize_convergence([[0.9]], [[0.0]], 0.8, steps_per_epoch=10)


def test_an_epoch_without_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="steps_per_epoch: expected .* at least 1, got 0"):
        summarize_convergence([[0.9]], [[1.0]], 0.8, steps_per_epoch=0)
