import numpy as np
import pytest

from bnbench.stats.decision import Outcome, count_required_pairs, decide_improvement
from bnbench.stats.estimates import Estimate, Method
from bnbench.stats.improvement import estimate_improvement


def make_probability(low: float, value: float, high: float, count: int = 30) -> Estimate:
    return Estimate(value, low, high, 0.95, Method.BCA, count)


def test_29_pairs_are_required_as_in_the_paper() -> None:
    # ((1.6449 + 1.6449) / (sqrt(6) * 0.25))^2 = (3.2897 / 0.61237)^2 = 28.86
    assert count_required_pairs(gamma=0.75, alpha=0.05, beta=0.05) == 29


def test_a_smaller_effect_requires_more_pairs() -> None:
    # ((1.6449 + 1.2816) / (sqrt(6) * 0.1))^2 = 142.7
    assert count_required_pairs(gamma=0.6, alpha=0.05, beta=0.1) == 143


@pytest.mark.parametrize("gamma", [0.5, 1.1])
def test_a_gamma_outside_its_range_is_refused(gamma: float) -> None:
    with pytest.raises(
        ValueError, match=rf"gamma: expected a probability in \(0.5, 1\], got {gamma}"
    ):
        count_required_pairs(gamma=gamma)


def test_an_error_rate_in_percent_is_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha: expected a rate in \(0, 0.5\), got 5"):
        count_required_pairs(alpha=5)


@pytest.mark.parametrize(
    ("low", "value", "high", "outcome"),
    [
        (0.51, 0.70, 0.76, Outcome.BETTER),
        (0.90, 0.95, 1.00, Outcome.BETTER),
        (0.50, 0.70, 0.80, Outcome.NO_CONCLUSION),
        (0.51, 0.70, 0.75, Outcome.NOT_MEANINGFULLY_BETTER),
        (0.40, 0.50, 0.60, Outcome.NOT_MEANINGFULLY_BETTER),
        (0.20, 0.50, 0.75, Outcome.NOT_MEANINGFULLY_BETTER),
        (0.20, 0.50, 0.76, Outcome.NO_CONCLUSION),
        (0.24, 0.30, 0.49, Outcome.WORSE),
        (0.00, 0.05, 0.10, Outcome.WORSE),
        (0.25, 0.30, 0.49, Outcome.NOT_MEANINGFULLY_BETTER),
        (0.24, 0.30, 0.50, Outcome.NOT_MEANINGFULLY_BETTER),
    ],
)
def test_the_interval_decides(low: float, value: float, high: float, outcome: Outcome) -> None:
    assert decide_improvement(make_probability(low, value, high)).outcome is outcome


def test_exchanging_the_variants_exchanges_better_and_worse() -> None:
    assert decide_improvement(make_probability(0.55, 0.7, 0.8)).outcome is Outcome.BETTER
    assert decide_improvement(make_probability(1 - 0.8, 0.3, 0.45)).outcome is Outcome.WORSE


def test_with_few_pairs_the_missing_ones_are_counted() -> None:
    decision = decide_improvement(Estimate(1.0, None, None, 0.95, None, 3))
    assert decision.outcome is Outcome.NO_CONCLUSION
    assert decision.num_more_pairs == 26
    decision = decide_improvement(make_probability(0.4, 0.6, 0.8, count=10))
    assert decision.num_more_pairs == 19


def test_beyond_the_required_pairs_the_nearest_border_counts() -> None:
    # To push high from 0.76 to 0.75: 100 * (0.16 / 0.15)^2 = 113.8; to lift low from 0.44 to
    # 0.5: 100 * (0.16 / 0.10)^2 = 256.
    decision = decide_improvement(make_probability(0.44, 0.60, 0.76, count=100))
    assert decision.num_more_pairs == 14
    # The value above gamma leaves one way: 40 * (0.31 / 0.29)^2 = 45.7
    decision = decide_improvement(make_probability(0.48, 0.79, 0.95, count=40))
    assert decision.num_more_pairs == 6


def test_a_conclusion_asks_for_no_more_seeds() -> None:
    assert decide_improvement(make_probability(0.6, 0.8, 0.9)).num_more_pairs is None


def test_a_decision_on_no_pairs_is_refused() -> None:
    with pytest.raises(
        ValueError, match="probability: expected at least one pair of trials, got none"
    ):
        decide_improvement(Estimate(None, None, None, 0.95, None, 0))


def test_a_clear_result_needs_six_seeds() -> None:
    generator = np.random.default_rng(0)
    for count, outcome in ((5, Outcome.NO_CONCLUSION), (6, Outcome.BETTER)):
        probability = estimate_improvement(
            generator.normal(0.6, 0.01, count), generator.normal(0.8, 0.01, count), generator
        ).probability
        assert decide_improvement(probability).outcome is outcome


def simulate_outcomes(effect: float, num_pairs: int, num_studies: int) -> dict[Outcome, float]:
    """Simulate studies; ``effect`` is in standard deviations of the trials of a variant."""
    generator = np.random.default_rng(20210301)
    counts = dict.fromkeys(Outcome, 0)
    for _ in range(num_studies):
        baseline, candidate = generator.normal(0.6, 0.02, size=(2, num_pairs))
        improvement = estimate_improvement(
            baseline, candidate + 0.02 * effect, generator, num_resamples=499
        )
        counts[decide_improvement(improvement.probability).outcome] += 1
    return {outcome: count / num_studies for outcome, count in counts.items()}


@pytest.mark.slow
def test_without_a_difference_at_most_5_percent_of_studies_say_better() -> None:
    # 1,500 studies; the simulation error is 0.6 points at 5 %, 0.4 at the 2.1 % seen.
    shares = simulate_outcomes(effect=0.0, num_pairs=30, num_studies=1500)
    assert shares[Outcome.BETTER] <= 0.05
    assert shares[Outcome.WORSE] <= 0.05
    assert shares[Outcome.BETTER] + shares[Outcome.WORSE] <= 0.05 + 2 * 0.006
    assert shares[Outcome.NOT_MEANINGFULLY_BETTER] >= 0.8


@pytest.mark.slow
def test_with_a_difference_of_one_standard_deviation_at_least_90_percent_say_better() -> None:
    # One standard deviation of the trials, seeds with nothing in common: P = Phi(1/sqrt(2)) = 0.76,
    # just above gamma and so the hardest case that counts as meaningful.
    shares = simulate_outcomes(effect=1.0, num_pairs=30, num_studies=1500)
    assert shares[Outcome.BETTER] >= 0.9
    assert shares[Outcome.WORSE] == 0.0


def test_with_a_large_difference_nearly_all_studies_say_better() -> None:
    # sqrt(2) standard deviations of the trials: P = Phi(1) = 0.84.
    shares = simulate_outcomes(effect=2**0.5, num_pairs=30, num_studies=200)
    assert shares[Outcome.BETTER] >= 0.98


def test_without_a_difference_few_studies_say_better() -> None:
    shares = simulate_outcomes(effect=0.0, num_pairs=30, num_studies=200)
    assert shares[Outcome.BETTER] + shares[Outcome.WORSE] <= 0.1
