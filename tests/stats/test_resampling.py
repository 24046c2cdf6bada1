import numpy as np
import pytest

from bnbench.stats.resampling import (
    RESAMPLES_PER_BATCH,
    draw_seeds,
    find_bca_limits,
    find_percentile_limits,
    widen_confidence,
)


def test_few_values_widen_the_interval() -> None:
    # t(0.975, 29) = 2.0452; times sqrt(30/29) = 2.0802; 2 Phi(2.0802) - 1 = 0.9625
    assert widen_confidence(0.95, 30) == pytest.approx(0.9625, abs=5e-5)
    # t(0.975, 9) = 2.2622; times sqrt(10/9) = 2.3845; 2 Phi(2.3845) - 1 = 0.9829
    assert widen_confidence(0.95, 10) == pytest.approx(0.9829, abs=5e-5)


def test_many_values_widen_it_no_more() -> None:
    assert widen_confidence(0.95, 100_000) == pytest.approx(0.95, abs=1e-5)


def test_one_value_cannot_be_resampled() -> None:
    with pytest.raises(ValueError, match="count: expected at least 2 values to resample, got 1"):
        widen_confidence(0.95, 1)


def test_bca_limits_agree_with_the_published_spatial_test_example() -> None:
    # Efron and Tibshirani (1993), sections 14.2 and 14.3: the variance of 26 scores is 171.5, its
    # 90 % BCa interval from 2,000 resamples (115.8, 259.6). 88.068 % is widened to those 90 %.
    scores = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41]
    scores += [24, 26, 30, 41]
    assert np.var(scores) == pytest.approx(171.5, abs=0.05)
    assert widen_confidence(0.88068, 26) == pytest.approx(0.9, abs=1e-5)
    values = np.array(scores, dtype=float)
    low, high = find_bca_limits(values, np.var, np.random.default_rng(1), 0.88068, 9999)
    assert float(low) == pytest.approx(115.8, rel=0.02)
    assert float(high) == pytest.approx(259.6, rel=0.02)


def test_bca_limits_reach_further_into_the_long_tail() -> None:
    values = np.random.default_rng(0).exponential(size=30)
    low, high = find_bca_limits(values, np.mean, np.random.default_rng(1), 0.95, 9999)
    assert float(high) - values.mean() > values.mean() - float(low)


def test_a_batch_does_not_change_the_numbers_drawn() -> None:
    seeds = draw_seeds(31, RESAMPLES_PER_BATCH + 3, np.random.default_rng(5))
    generator = np.random.default_rng(5)
    parts = [draw_seeds(31, size, generator) for size in (RESAMPLES_PER_BATCH, 3)]
    assert np.array_equal(seeds, np.vstack(parts))


def test_percentile_limits_are_order_statistics() -> None:
    # 5 % of 0..999 lie at 49.95, 95 % at 949.05: the interval takes the values beyond.
    resampled = np.arange(1000, dtype=float)
    assert find_percentile_limits(resampled, 1_000_000, 0.9) == (49.0, 950.0)


def test_an_unbounded_end_is_none() -> None:
    resampled = np.array([1.0] * 900 + [np.inf] * 100)
    assert find_percentile_limits(resampled, 30, 0.95) == (1.0, None)


def test_undefined_resamples_widen_both_ends() -> None:
    resampled = np.array([1.0] * 900 + [np.nan] * 100)
    assert find_percentile_limits(resampled, 30, 0.95) == (None, None)
    resampled = np.array([1.0] * 999 + [np.nan])
    assert find_percentile_limits(resampled, 30, 0.95) == (1.0, 1.0)
