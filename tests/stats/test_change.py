import numpy as np
import pytest

from bnbench.stats.change import ChangeOutcome, ErrorRates, classify_change, decide_change

LIMIT = 0.05
RATES = ErrorRates(alarm=0.01, miss=0.05)


@pytest.mark.parametrize(
    ("mean", "low", "high", "miss_high", "outcome"),
    [
        (0.05, 0.01, 0.09, 0.08, ChangeOutcome.WORSE),
        (0.025, 0.001, 0.05, 0.04, ChangeOutcome.WORSE),
        (0.024, 0.02, 0.028, 0.027, ChangeOutcome.NOT_WORSE),
        (0.05, -0.01, 0.11, 0.09, ChangeOutcome.UNDECIDED),
        (-0.05, -0.09, -0.01, -0.02, ChangeOutcome.BETTER),
        (-0.02, -0.03, -0.01, -0.01, ChangeOutcome.NOT_WORSE),
        (0.0, -0.06, 0.06, 0.049, ChangeOutcome.NOT_WORSE),
        (0.0, -0.06, 0.06, 0.051, ChangeOutcome.UNDECIDED),
    ],
)
def test_the_rule_needs_certainty_and_half_the_limit(
    mean: float, low: float, high: float, miss_high: float, outcome: ChangeOutcome
) -> None:
    assert classify_change(mean, low, high, miss_high, LIMIT) is outcome


def test_the_intervals_are_those_of_the_signed_rank_test() -> None:
    # Five values: a sum of ranks of 0 has the probability 1/32, one of at most 1 has 2/32.
    rates = ErrorRates(alarm=1 / 32, miss=2 / 32)
    change = decide_change([0.04, 0.05, 0.06, 0.07, 0.09], LIMIT, rates)
    assert change.center == pytest.approx(0.06)
    assert (change.low, change.high) == (0.04, 0.09)
    assert change.miss_high == pytest.approx(0.08)
    assert change.outcome is ChangeOutcome.WORSE


def test_too_few_values_decide_nothing_and_say_how_many_are_needed() -> None:
    change = decide_change([0.5], LIMIT, RATES)
    assert change.outcome is ChangeOutcome.UNDECIDED
    assert change.low is None
    assert change.num_more == 6  # 2^-7 is the first below 0.01


def test_an_undecided_change_says_how_many_more_values_it_needs() -> None:
    values = np.array([-0.2, 0.2] * 4)
    few = decide_change(values, LIMIT, RATES)
    assert few.outcome is ChangeOutcome.UNDECIDED
    # The end at 0.2 has to come down to 0.05, to a quarter: sixteen times as many, and 8 are known.
    assert (few.miss_high, few.num_more) == (0.2, 120)
    assert decide_change(np.tile(values, 16), LIMIT, RATES).outcome is ChangeOutcome.NOT_WORSE
    assert decide_change(values / 100.0, LIMIT, RATES).num_more is None


NOISES = {
    "normal": lambda generator, shape: generator.normal(0.0, 0.03, shape),
    "heavy tails": lambda generator, shape: generator.standard_t(3, shape) * 0.02,
    "two points": lambda generator, shape: generator.choice([-0.04, 0.04], shape),
    "two peaks": lambda generator, shape: (
        generator.choice([-0.04, 0.04], shape) + generator.normal(0.0, 0.005, shape)
    ),
    "uniform": lambda generator, shape: generator.uniform(-0.06, 0.06, shape),
    "rare stalls": lambda generator, shape: np.where(
        generator.random(shape) < 0.1,
        generator.choice([-0.3, 0.3], shape),
        generator.normal(0.0, 0.01, shape),
    ),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("count", [8, 12])
def test_the_error_rates_hold_whatever_the_noise_looks_like(noise: str, count: int) -> None:
    values = NOISES[noise](np.random.default_rng(5), (2000, count))

    def count_outcomes(change: float, outcome: ChangeOutcome) -> int:
        return sum(decide_change(row + change, LIMIT, RATES).outcome is outcome for row in values)

    # The largest counts of a rate that is met, but for one test in 1,000.
    assert count_outcomes(0.0, ChangeOutcome.WORSE) <= 34
    assert count_outcomes(LIMIT, ChangeOutcome.NOT_WORSE) <= 131


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "values: expected shape"),
        ([[1.0]], "values: expected shape"),
        ([0.1, float("nan")], "values: expected finite numbers, got nan"),
    ],
    ids=["none", "matrix", "not a number"],
)
def test_values_that_cannot_be_judged_are_refused(values: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decide_change(values, LIMIT, RATES)  # type: ignore[arg-type]


def test_a_limit_or_rate_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="limit: expected a number above 0, got 0"):
        classify_change(0.0, 0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="alarm: expected a rate in .*, got 0.5"):
        ErrorRates(alarm=0.5, miss=0.05)
