import math

import numpy as np
import pytest
from scipy import stats

from bnbench.stats.estimates import Method
from bnbench.stats.improvement import estimate_improvement


def test_every_candidate_is_compared_with_every_baseline_and_ties_count_half() -> None:
    # 0.5 beats 0.1, 0.3 and ties 0.5; 0.2 beats 0.1; 0.5 again: (2.5 + 1 + 2.5) / 9
    improvement = estimate_improvement([0.1, 0.3, 0.5], [0.5, 0.2, 0.5], np.random.default_rng(0))
    assert improvement.probability.value == pytest.approx(6 / 9)
    assert (improvement.num_wins, improvement.num_ties, improvement.num_losses) == (1, 1, 1)
    assert improvement.probability.count == 3


def test_the_probability_is_the_mann_whitney_statistic() -> None:
    generator = np.random.default_rng(0)
    baseline, candidate = generator.random((2, 30)).round(1)
    improvement = estimate_improvement(baseline, candidate, generator)
    statistic = stats.mannwhitneyu(candidate, baseline).statistic
    assert improvement.probability.value == pytest.approx(statistic / 900)


def test_exchanging_the_variants_mirrors_value_and_interval() -> None:
    generator = np.random.default_rng(3)
    baseline, candidate = generator.random((2, 30))
    forth = estimate_improvement(baseline, candidate, np.random.default_rng(1)).probability
    back = estimate_improvement(candidate, baseline, np.random.default_rng(1)).probability
    assert forth.low is not None
    assert forth.high is not None
    assert back.value == pytest.approx(1 - (forth.value or 0.0))
    # Quantiles are interpolated the same way from both ends; only rounding differs.
    assert (back.low, back.high) == pytest.approx((1 - forth.high, 1 - forth.low), abs=1e-9)


def test_complete_separation_claims_no_more_than_n_wins_of_n() -> None:
    baseline, candidate = np.linspace(0.1, 0.2, 10), np.linspace(0.8, 0.9, 10)
    probability = estimate_improvement(baseline, candidate, np.random.default_rng(0)).probability
    # Clopper-Pearson for 10 of 10: 0.025 ** 0.1 = 0.6915
    assert probability.low == pytest.approx(0.6915, abs=1e-4)
    assert (probability.value, probability.high) == (1.0, 1.0)
    assert probability.method is Method.COMPLETE_SEPARATION
    worst = estimate_improvement(candidate, baseline, np.random.default_rng(0)).probability
    assert (worst.value, worst.low) == (0.0, 0.0)
    assert worst.high == pytest.approx(1 - 0.6915, abs=1e-4)


def test_one_inversion_claims_no_more_than_complete_separation() -> None:
    baseline = np.linspace(0.1, 0.2, 30)
    candidate = np.linspace(0.8, 0.9, 30)
    candidate[0] = 0.199
    probability = estimate_improvement(baseline, candidate, np.random.default_rng(0)).probability
    assert probability.low is not None
    assert probability.low <= 0.025 ** (1 / 30)
    assert probability.method is Method.BCA


@pytest.mark.parametrize("count", [1, 2, 5])
def test_fewer_than_six_pairs_have_no_interval(count: int) -> None:
    probability = estimate_improvement(
        [0.1] * count, [0.9] * count, np.random.default_rng(0)
    ).probability
    assert (probability.value, probability.low, probability.high) == (1.0, None, None)
    assert probability.count == count


def test_a_variant_against_itself_is_one_half_for_sure() -> None:
    accuracy = np.random.default_rng(0).random(30)
    probability = estimate_improvement(accuracy, accuracy, np.random.default_rng(0)).probability
    assert (probability.value, probability.low, probability.high) == (0.5, 0.5, 0.5)
    assert probability.method is Method.ALL_EQUAL


def test_a_diverged_trial_loses_to_every_other_and_ties_with_another_diverged_one() -> None:
    nan = math.nan
    improvement = estimate_improvement([0.0, nan], [nan, 0.5], np.random.default_rng(0))
    # nan loses to 0.0 and ties nan; 0.5 beats both: (0.5 + 2) / 4
    assert improvement.probability.value == pytest.approx(2.5 / 4)


def test_all_trials_diverged_is_one_half() -> None:
    improvement = estimate_improvement([math.nan] * 8, [math.nan] * 8, np.random.default_rng(0))
    assert improvement.probability.value == 0.5
    assert improvement.num_ties == 8


def test_the_same_generator_seed_gives_the_same_bits() -> None:
    baseline, candidate = np.random.default_rng(0).random((2, 30))
    first = estimate_improvement(baseline, candidate, np.random.default_rng(1))
    assert first == estimate_improvement(baseline, candidate, np.random.default_rng(1))


def test_the_interval_of_30_pairs_covers_the_probability_in_most_studies() -> None:
    # 100 studies with a difference of one standard deviation: P = Phi(1 / sqrt(2)).
    assert count_covered(effect=1.0, correlation=0.0, num_studies=100) >= 88


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_a_95_percent_interval_of_30_pairs_covers_at_least_95_percent(
    effect: float, correlation: float
) -> None:
    # 1,000 studies: the simulation error is sqrt(0.95 * 0.05 / 1000) = 0.7 points; allow two.
    assert count_covered(effect, correlation, num_studies=1000) / 1000 >= 0.95 - 2 * 0.007


def count_covered(effect: float, correlation: float, num_studies: int) -> int:
    generator = np.random.default_rng([7, int(effect), int(10 * correlation)])
    truth = stats.norm.cdf(effect / math.sqrt(2))
    covered = 0
    for _ in range(num_studies):
        shared, own_baseline, own_candidate = generator.normal(size=(3, 30))
        common, own = math.sqrt(correlation) * shared, math.sqrt(1 - correlation)
        probability = estimate_improvement(
            0.5 + 0.02 * (common + own * own_baseline),
            0.5 + 0.02 * (common + own * own_candidate + effect),
            generator,
            num_resamples=499,
        ).probability
        assert probability.low is not None
        assert probability.high is not None
        covered += probability.low <= truth <= probability.high
    return covered
