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


def test_the_intervals_are_students() -> None:
    change = decide_change([0.04, 0.05, 0.06], LIMIT, RATES)
    error = 0.01 / np.sqrt(3)
    assert change.mean == pytest.approx(0.05)
    assert change.low == pytest.approx(0.05 - 6.96456 * error, rel=1e-4)
    assert change.miss_high == pytest.approx(0.05 + 2.91999 * error, rel=1e-4)


def test_one_value_decides_nothing() -> None:
    change = decide_change([0.5], LIMIT, RATES)
    assert change.outcome is ChangeOutcome.UNDECIDED
    assert change.low is None
    assert change.num_more == 1


def test_an_undecided_change_says_how_many_more_values_it_needs() -> None:
    values = np.array([-0.2, 0.2] * 4)
    few = decide_change(values, LIMIT, RATES)
    assert few.outcome is ChangeOutcome.UNDECIDED
    # 1.645 * 0.214 / sqrt(n) < 0.05 from n = 50 on, and 8 are known.
    assert few.num_more == 42
    assert decide_change(np.tile(values, 7), LIMIT, RATES).outcome is ChangeOutcome.NOT_WORSE
    assert decide_change(values / 100.0, LIMIT, RATES).num_more is None


@pytest.mark.parametrize(
    ("change", "outcome", "least", "most"),
    [
        (0.0, ChangeOutcome.WORSE, 0.0, 0.012),
        (LIMIT, ChangeOutcome.NOT_WORSE, 0.03, 0.062),
    ],
)
def test_the_error_rates_hold_for_normal_values(
    change: float, outcome: ChangeOutcome, least: float, most: float
) -> None:
    # With this deviation, asking only for half the limit would give false alarms.
    generator = np.random.default_rng(5)
    values = generator.normal(change, 0.06, (3000, 10))
    found = [decide_change(row, LIMIT, RATES).outcome for row in values]
    assert least <= np.mean([each is outcome for each in found]) <= most


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
