import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from bnbench.stats import Estimate, Method
from bnbench.stats.spread import (
    MIN_SEEDS,
    estimate_deviation,
    estimate_variance_ratio,
    find_sampling_deviation,
)

NAN = float("nan")
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
DISTRIBUTIONS: dict[str, tuple[Draw, float, float]] = {
    "normal": (lambda generator, shape: generator.normal(size=shape), 1.0, 0.93),
    "heavy tails": (
        lambda generator, shape: generator.standard_t(5, shape),
        math.sqrt(5 / 3),
        0.86,
    ),
    "skewed": (lambda generator, shape: -generator.gamma(4, size=shape), 2.0, 0.88),
    "very skewed": (lambda generator, shape: -generator.exponential(size=shape), 1.0, 0.83),
}
"""Of each: how to draw it, its deviation, and the least coverage of 95 % intervals allowed."""


def holds(estimate: Estimate, truth: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def test_the_deviation_has_one_seed_less_in_its_denominator() -> None:
    found = estimate_deviation([0.80, 0.82, NAN, 0.84])
    assert found.value == pytest.approx(0.02)
    assert (found.low, found.high, found.count) == (None, None, 3)


def test_the_interval_is_the_jackknifes_by_hand() -> None:
    # Values 0, 0, 0, 3, 3 have variance 2.7. Without a 0 it is 3, without a 3 it is 2.25.
    found = estimate_deviation([0.0, 0.0, 0.0, 3.0, 3.0])
    pseudo = [5 * math.log(2.7) - 4 * math.log(v) for v in (3, 3, 3, 2.25, 2.25)]
    mean = sum(pseudo) / 5
    error = math.sqrt(sum((p - mean) ** 2 for p in pseudo) / 4 / 5)
    assert found.value == pytest.approx(math.sqrt(2.7))
    assert found.low == pytest.approx(math.exp((mean - 2.776445 * error) / 2), rel=1e-5)
    assert found.high == pytest.approx(math.exp((mean + 2.776445 * error) / 2), rel=1e-5)
    assert found.method is Method.JACKKNIFE


def test_the_deviation_has_the_unit_of_the_values_wherever_they_lie() -> None:
    values = np.array([0.81, 0.84, 0.80, 0.86, 0.83, 0.85])
    one, other = estimate_deviation(values), estimate_deviation(100 * values + 1e6)
    for name in ("value", "low", "high"):
        assert getattr(other, name) == pytest.approx(100 * getattr(one, name), rel=1e-5)


@pytest.mark.parametrize(
    ("values", "value"),
    [
        ([], None),
        ([0.8], None),
        ([0.8] * 7, 0.0),
        ([0.8] * 6 + [0.9], math.sqrt(0.06 / 7 * 0.1 * 10 / 6)),
        ([0.7, 0.8, 0.9, 0.8], math.sqrt(0.02 / 3)),
        ([1e-100, 2e-100, 3e-100, 2e-100, 1.0], 1 / math.sqrt(5)),
    ],
    ids=["none", "one", "all equal", "all but one equal", "four", "beyond all bounds"],
)
def test_there_is_no_interval_where_nothing_tells_how_wide(
    values: list[float], value: float | None
) -> None:
    found = estimate_deviation(values or [NAN])
    assert (found.low, found.high) == (None, None)
    assert found.value is None if value is None else found.value == pytest.approx(value)


def test_five_seeds_are_enough_for_an_interval() -> None:
    values = [0.7, 0.8, 0.9, 0.8, 0.84]
    assert len(values) == MIN_SEEDS
    assert estimate_deviation(values).has_interval


def test_half_the_deviation_is_a_quarter_of_the_variance() -> None:
    whole = np.array([0.80, 0.84, 0.82, 0.88, 0.79, 0.85])
    part = 0.5 + whole[::-1] / 2
    found = estimate_variance_ratio(part, whole)
    assert found.value == pytest.approx(0.25)
    assert holds(found, 0.25)


def test_trials_that_move_together_give_a_ratio_without_error() -> None:
    whole = np.array([0.80, 0.84, 0.82, 0.88, 0.79, 0.85])
    found = estimate_variance_ratio(0.3 + whole / 2, whole)
    assert found.low == pytest.approx(0.25)
    assert found.high == pytest.approx(0.25)


def test_only_seeds_that_both_have_count() -> None:
    whole = [0.80, 0.84, 0.82, 0.88, 0.79, 0.85, NAN]
    part = [0.80, 0.82, 0.81, 0.84, 0.795, 0.825, 0.1]
    found = estimate_variance_ratio(part, whole)
    assert (found.value, found.count) == (pytest.approx(0.25), 6)


def test_no_share_of_nothing() -> None:
    assert estimate_variance_ratio([0.7, 0.8, 0.9], [0.8] * 3).value is None
    constant = estimate_variance_ratio([0.8] * 6, [0.80, 0.84, 0.82, 0.88, 0.79, 0.85])
    assert (constant.value, constant.low, constant.high) == (0.0, None, None)


def test_sampled_images_follow_the_binomial_distribution() -> None:
    assert find_sampling_deviation(0.85, 10_000) == pytest.approx(0.00357071, rel=1e-5)
    assert find_sampling_deviation(1.0, 10) == 0.0
    images = np.random.default_rng(1).random((2000, 400)) < 0.85
    assert find_sampling_deviation(0.85, 400) == pytest.approx(images.mean(1).std(), rel=0.05)


@pytest.mark.parametrize(("accuracy", "num_images"), [(85.0, 100), (0.5, 0)])
def test_percent_and_no_images_are_refused(accuracy: float, num_images: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        find_sampling_deviation(accuracy, num_images)


@pytest.mark.slow
@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
def test_intervals_of_30_seeds_cover_as_often_as_they_are_said_to(
    distribution: tuple[Draw, float, float],
) -> None:
    draw, deviation, least = distribution
    generator = np.random.default_rng(5)
    samples, others = draw(generator, (1000, 30)), draw(generator, (1000, 30))
    covered = [holds(estimate_deviation(row), deviation) for row in samples]
    assert least <= np.mean(covered) <= 0.965
    shared = samples + others / 2
    covered = [
        holds(estimate_variance_ratio(part, whole), 0.8)
        for part, whole in zip(others, shared, strict=True)
    ]
    assert least <= np.mean(covered) <= 0.975


def test_the_chi_square_interval_is_too_short_where_accuracies_are_skewed() -> None:
    samples = -np.random.default_rng(5).exponential(size=(200, 30))
    sums = samples.var(axis=1, ddof=1) * 29
    low, high = sums / stats.chi2.ppf(0.975, 29), sums / stats.chi2.ppf(0.025, 29)
    by_chi_square = np.mean((low <= 1.0) & (high >= 1.0))
    by_jackknife = np.mean([holds(estimate_deviation(row), 1.0) for row in samples])
    assert by_jackknife - by_chi_square > 0.08
