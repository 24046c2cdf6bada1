import numpy as np
import pytest

from bnbench.stats.estimates import Method
from bnbench.stats.pairing import compare_pairs, summarize_pairing


def test_the_difference_is_candidate_minus_baseline() -> None:
    baseline = [[0.5, 0.6], [0.6, 0.7]]
    candidate = [[0.6, 0.5], [0.8, 0.6]]
    first, second = compare_pairs(baseline, candidate, np.random.default_rng(0))
    assert first.value == pytest.approx(0.15)
    assert second.value == pytest.approx(-0.1)


def test_one_pair_has_a_difference_and_no_interval() -> None:
    (difference,) = compare_pairs([[0.5]], [[0.75]], np.random.default_rng(0))
    assert (difference.value, difference.low, difference.high) == (0.25, None, None)


def test_equal_differences_have_an_interval_of_no_width() -> None:
    baseline = np.linspace(0.25, 0.5, 30)[:, None]
    (difference,) = compare_pairs(baseline, baseline, np.random.default_rng(0))
    assert (difference.low, difference.high) == (0.0, 0.0)
    assert difference.method is Method.ALL_EQUAL


def test_a_pair_that_misses_one_value_is_left_out() -> None:
    baseline = [[0.5], [0.5], [np.nan]]
    candidate = [[0.6], [np.nan], [0.9]]
    (difference,) = compare_pairs(baseline, candidate, np.random.default_rng(0))
    assert difference.value == pytest.approx(0.1)
    assert difference.count == 1


def test_pairs_shorten_the_interval_where_seeds_correlate() -> None:
    generator = np.random.default_rng(1)
    seed_effect = generator.normal(0.5, 0.05, size=(30, 1))
    noise = generator.normal(0, 0.005, size=(30, 2))
    baseline, candidate = seed_effect + noise[:, :1], seed_effect + noise[:, 1:]
    (paired,) = compare_pairs(baseline, candidate, generator)
    (shuffled,) = compare_pairs(baseline, candidate[::-1], generator)
    assert paired.high is not None
    assert paired.low is not None
    assert shuffled.high is not None
    assert shuffled.low is not None
    assert paired.high - paired.low < (shuffled.high - shuffled.low) / 4


def test_pairing_helped_if_the_correlation_is_certainly_positive() -> None:
    # var(b) = var(c) = 3.5e-4, r = 33 / 35: var(c - b) = 2 * 3.5e-4 * (1 - r) = 4e-5
    baseline = [0.51, 0.52, 0.53, 0.54, 0.55, 0.56]
    candidate = [0.61, 0.63, 0.62, 0.64, 0.65, 0.66]
    pairing = summarize_pairing(baseline, candidate)
    assert pairing.correlation.value == pytest.approx(33 / 35)
    assert pairing.variance_ratio == pytest.approx(2 / 35)
    # Fisher: tanh(atanh(33 / 35) -+ 1.95996 / sqrt(3)) = tanh(1.76318 -+ 1.13159)
    assert pairing.correlation.low == pytest.approx(0.55913, abs=1e-4)
    assert pairing.helped is True


def test_pairing_hurt_if_the_correlation_is_certainly_negative() -> None:
    baseline = np.linspace(0.5, 0.6, 20)
    candidate = 1.1 - baseline + np.random.default_rng(0).normal(0, 0.01, 20)
    pairing = summarize_pairing(baseline, candidate)
    assert pairing.helped is False
    assert pairing.variance_ratio is not None
    assert pairing.variance_ratio > 1.5


def test_pairing_is_unclear_if_the_correlation_may_have_either_sign() -> None:
    generator = np.random.default_rng(1)
    assert summarize_pairing(generator.random(20), generator.random(20)).helped is None


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [([0.5], [0.6]), ([0.5, 0.6], [0.6, 0.9]), ([0.5] * 5, [0.5, 0.6, 0.7, 0.8, 0.9])],
    ids=["one pair", "two pairs", "a variant that never varies"],
)
def test_there_is_no_correlation_of_two_pairs_or_of_constants(
    baseline: list[float], candidate: list[float]
) -> None:
    pairing = summarize_pairing(baseline, candidate)
    assert pairing.correlation.value is None
    assert pairing.helped is None


def test_three_pairs_have_a_correlation_without_interval() -> None:
    pairing = summarize_pairing([0.1, 0.2, 0.3], [0.1, 0.3, 0.2])
    assert pairing.correlation.value == pytest.approx(0.5)
    assert not pairing.correlation.has_interval
    assert pairing.helped is None
