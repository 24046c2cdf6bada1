import math

import numpy as np
import pytest

from bnbench.stats.epoch_time import SlowEpoch, compare_epoch_time, summarize_epoch_time


def test_median_and_quartiles_are_those_of_all_epochs() -> None:
    time = summarize_epoch_time([[1.0, 2.0, 3.0], [4.0, 5.0, math.nan]])
    assert (time.lower_quartile_seconds, time.median_seconds, time.upper_quartile_seconds) == (
        2.0,
        3.0,
        4.0,
    )
    assert time.num_epochs == 5


def test_a_stalled_epoch_is_reported_and_not_dropped() -> None:
    time = summarize_epoch_time([[3.4, 3.5, 3.6], [3.5, 26.0, 3.5]])
    assert time.outliers == (SlowEpoch(seed_index=1, epoch=2, train_seconds=26.0),)
    assert time.num_epochs == 6
    # Distances from 3.5: 0, 0, 0, 0.1, 0.1, 22.5; MAD 0.05: limit 3.5 + 5 * 1.4826 * 0.05
    assert time.limit_seconds == pytest.approx(3.5 + 5 * 1.4826 * 0.05)


def test_slightly_above_a_steady_clock_is_no_outlier() -> None:
    assert summarize_epoch_time([[3.5, 3.5, 3.5, 3.5001]]).outliers == ()
    assert len(summarize_epoch_time([[3.5, 3.5, 3.5, 3.7]]).outliers) == 1


def test_without_timed_epochs_there_is_no_median() -> None:
    time = summarize_epoch_time([[math.nan]])
    assert (time.median_seconds, time.limit_seconds, time.num_epochs) == (None, None, 0)


def test_the_ratio_is_that_of_the_medians() -> None:
    comparison = compare_epoch_time(
        [[3.0, 3.1], [3.2, 50.0]], [[4.0, 4.1], [4.2, 4.3]], np.random.default_rng(0)
    )
    # medians of 3, 3.1, 3.2, 50 and of 4, 4.1, 4.2, 4.3
    assert comparison.ratio.value == pytest.approx(4.15 / 3.15)
    # within seeds: 4.05 / 3.05 and 4.25 / 26.6
    assert comparison.paired_ratio.value == pytest.approx((4.05 / 3.05 + 4.25 / 26.6) / 2)
    assert not comparison.ratio.has_interval
    assert len(comparison.baseline.outliers) == 1


def test_a_seed_at_which_one_variant_was_not_timed_is_left_out() -> None:
    nan = math.nan
    comparison = compare_epoch_time(
        [[2.0], [nan], [2.0]], [[4.0], [4.0], [nan]], np.random.default_rng(0)
    )
    assert comparison.ratio.value == 2.0
    assert comparison.ratio.count == 1


def test_variants_never_timed_at_the_same_seed_have_no_ratio() -> None:
    comparison = compare_epoch_time([[math.nan]], [[4.0]], np.random.default_rng(0))
    assert (comparison.ratio.value, comparison.paired_ratio.value) == (None, None)
    assert comparison.candidate.median_seconds == 4.0


def test_epochs_of_one_trial_do_not_count_as_independent() -> None:
    # Six seeds with five equal epochs each say as much as six seeds with one epoch each.
    generator = np.random.default_rng(0)
    baseline, candidate = generator.lognormal(1, 0.1, size=(2, 6, 1))
    once = compare_epoch_time(baseline, candidate, np.random.default_rng(1)).ratio
    often = compare_epoch_time(
        np.repeat(baseline, 5, axis=1), np.repeat(candidate, 5, axis=1), np.random.default_rng(1)
    ).ratio
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_both_trials_of_a_seed_are_resampled_together() -> None:
    # A seed slows both of its trials down alike: their ratio is 1.25 in any resample.
    baseline = np.random.default_rng(0).lognormal(1, 0.5, size=(15, 1))
    ratio = compare_epoch_time(baseline, 1.25 * baseline, np.random.default_rng(1)).ratio
    assert (ratio.low, ratio.high) == pytest.approx((1.25, 1.25))


def test_a_machine_that_changes_speed_between_seeds_leaves_the_paired_ratio_sharp() -> None:
    generator = np.random.default_rng(2)
    speed = np.where(np.arange(30) % 2, 1.0, 1.5)[:, None]
    noise = generator.lognormal(0, 0.02, size=(2, 30, 5))
    comparison = compare_epoch_time(3 * speed * noise[0], 3.6 * speed * noise[1], generator)
    paired = comparison.paired_ratio
    assert paired.low is not None
    assert paired.high is not None
    assert paired.low <= 1.2 <= paired.high
    assert paired.high - paired.low < 0.03


@pytest.mark.slow
def test_a_95_percent_interval_of_30_seeds_covers_at_least_95_percent() -> None:
    # 400 studies: the simulation error is 1.1 points; two of them off.
    generator = np.random.default_rng(5)
    covered = paired_covered = 0
    for _ in range(400):
        machine = generator.normal(0, 0.1, size=(30, 1))
        noise = generator.normal(0, 0.05, size=(2, 30, 5))
        baseline, candidate = np.exp(machine + noise) * np.array([3.0, 3.6])[:, None, None]
        comparison = compare_epoch_time(baseline, candidate, generator, num_resamples=499)
        ratio, paired = comparison.ratio, comparison.paired_ratio
        assert ratio.low is not None
        assert ratio.high is not None
        assert paired.low is not None
        assert paired.high is not None
        covered += ratio.low <= 1.2 <= ratio.high
        paired_covered += paired.low <= 1.2 <= paired.high
    assert covered / 400 >= 0.95 - 2 * 0.011
    assert paired_covered / 400 >= 0.95 - 2 * 0.011
