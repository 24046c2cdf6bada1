import math

import numpy as np
import pytest

from bnbench.stats.speed_up import SpeedUp, estimate_speed_up

NEVER = math.inf


def estimate_from_epochs(
    baseline_epochs: list[float],
    candidate_epochs: list[float],
    baseline_seconds: float = 3.0,
    candidate_seconds: float = 3.6,
    num_epochs: int = 10,
    num_resamples: int = 9999,
) -> SpeedUp:
    """Estimate from the epoch at which each trial arrives at 0.8."""

    def make_accuracy(epochs: list[float]) -> np.ndarray:
        return np.where(np.arange(1, num_epochs + 1) >= np.array(epochs)[:, None], 0.9, 0.1)

    shape = (len(baseline_epochs), num_epochs)
    return estimate_speed_up(
        make_accuracy(baseline_epochs),
        make_accuracy(candidate_epochs),
        np.full(shape, baseline_seconds),
        np.full(shape, candidate_seconds),
        np.random.default_rng(0),
        target_accuracy=0.8,
        baseline_steps_per_epoch=938,
        candidate_steps_per_epoch=938,
        num_resamples=num_resamples,
    )


def test_a_speed_up_is_fewer_steps_over_costlier_steps() -> None:
    # Half the epochs at 1.2 times the cost: 2 / 1.2 = 1.667 times sooner.
    speed_up = estimate_from_epochs([4, 4, 4, 4, 4, 4], [2, 2, 2, 2, 2, 2])
    assert speed_up.fewer_steps.value == 2.0
    assert speed_up.costlier_steps.value == pytest.approx(1.2)
    assert speed_up.speed_up.value == pytest.approx(2 / 1.2)
    assert speed_up.speed_up.low == pytest.approx(2 / 1.2)


def test_the_three_values_multiply_exactly() -> None:
    generator = np.random.default_rng(1)
    speed_up = estimate_speed_up(
        generator.random((12, 5)),
        generator.random((12, 5)),
        generator.random((12, 5)) + 3,
        generator.random((12, 5)) + 4,
        generator,
        target_accuracy=0.7,
        baseline_steps_per_epoch=938,
        candidate_steps_per_epoch=469,
    )
    assert speed_up.fewer_steps.value is not None
    assert speed_up.costlier_steps.value is not None
    assert speed_up.speed_up.value == pytest.approx(
        speed_up.fewer_steps.value / speed_up.costlier_steps.value, rel=1e-15
    )


def test_larger_batches_are_fewer_and_costlier_steps() -> None:
    speed_up = estimate_speed_up(
        [[0.1, 0.9]],
        [[0.1, 0.9]],
        [[3.0, 3.0]],
        [[3.0, 3.0]],
        np.random.default_rng(0),
        target_accuracy=0.8,
        baseline_steps_per_epoch=900,
        candidate_steps_per_epoch=300,
    )
    assert speed_up.fewer_steps.value == 3.0
    assert speed_up.costlier_steps.value == pytest.approx(3.0)
    assert speed_up.speed_up.value == pytest.approx(1.0)


def test_one_seed_has_no_interval() -> None:
    assert not estimate_from_epochs([4], [2]).fewer_steps.has_interval


def test_a_baseline_that_never_arrives_leaves_the_speed_up_undefined() -> None:
    speed_up = estimate_from_epochs([NEVER] * 8, [2] * 8)
    assert speed_up.fewer_steps.value is None
    assert speed_up.speed_up.value is None
    assert not speed_up.speed_up.has_interval
    assert speed_up.costlier_steps.value == pytest.approx(1.2)


def test_a_candidate_that_never_arrives_leaves_the_speed_up_undefined() -> None:
    speed_up = estimate_from_epochs([2] * 8, [NEVER] * 8)
    assert speed_up.fewer_steps.value is None
    assert not speed_up.speed_up.has_interval


def test_if_half_of_the_baseline_arrives_the_speed_up_has_no_upper_end() -> None:
    speed_up = estimate_from_epochs([4] * 5 + [NEVER] * 5, [2] * 10)
    assert speed_up.fewer_steps.value == 2.0
    assert speed_up.fewer_steps.low == 2.0
    assert speed_up.fewer_steps.high is None


def test_if_neither_arrives_the_speed_up_is_undefined() -> None:
    speed_up = estimate_from_epochs([NEVER] * 8, [NEVER] * 8)
    assert speed_up.speed_up.value is None
    assert not speed_up.speed_up.has_interval


def test_seconds_of_another_shape_are_refused() -> None:
    with pytest.raises(
        ValueError, match="candidate_train_seconds: expected shape .* as baseline_accuracy has"
    ):
        estimate_speed_up(
            [[0.5]],
            [[0.5]],
            [[1.0]],
            [[1.0, 1.0]],
            np.random.default_rng(0),
            target_accuracy=0.5,
            baseline_steps_per_epoch=1,
            candidate_steps_per_epoch=1,
        )


def test_a_95_percent_interval_of_30_seeds_covers_at_least_95_percent() -> None:
    # Epochs 1..10 with P(arrived by 6) = 0.6 and by 5 = 0.4: the baseline's median is 6; the
    # candidate's is 3 with the same chances: the ratio is 2. Discrete times make it cautious.
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        baseline = generator.choice([4, 5, 6, 7, 8], p=[0.2, 0.2, 0.2, 0.2, 0.2], size=30)
        candidate = generator.choice([1, 2, 3, 4, 5], p=[0.2, 0.2, 0.2, 0.2, 0.2], size=30)
        estimate = estimate_from_epochs(
            list(baseline), list(candidate), num_resamples=499
        ).fewer_steps
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 2.0 <= estimate.high
    assert covered >= 93
