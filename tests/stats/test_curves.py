import numpy as np
import pytest

from bnbench.stats.curves import summarize_curve


def test_each_epoch_is_summarized_over_seeds() -> None:
    accuracy = [[0.2, 0.6], [0.3, 0.7], [0.7, 0.8]]
    first, second = summarize_curve(accuracy, np.random.default_rng(0))
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.mean.value == pytest.approx(0.4)
    assert (first.lowest, first.median, first.highest) == (0.2, 0.3, 0.7)
    # deviations from the mean -0.2, -0.1, 0.3: sqrt(0.14 / 2)
    assert first.deviation == pytest.approx(0.264575, abs=1e-6)
    assert first.mean.count == 3


def test_one_trial_has_neither_spread_nor_interval() -> None:
    (summary,) = summarize_curve([[0.5]], np.random.default_rng(0))
    assert summary.deviation is None
    assert summary.mean.low is None
    assert (summary.lowest, summary.highest) == (0.5, 0.5)


def test_a_trial_that_diverged_is_not_counted() -> None:
    first, second = summarize_curve([[0.5, np.nan], [0.4, np.nan]], np.random.default_rng(0))
    assert (first.mean.count, second.mean.count) == (2, 0)
    assert (second.mean.value, second.lowest, second.median) == (None, None, None)
