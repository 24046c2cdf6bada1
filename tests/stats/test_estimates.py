import dataclasses
import json

import pytest

from bnbench.stats.estimates import Estimate, Method, find_min_count


def test_an_estimate_is_plain_json_in_which_the_undefined_is_null() -> None:
    estimate = Estimate(0.5, None, 0.75, 0.95, Method.BCA, 3)
    assert json.loads(json.dumps(dataclasses.asdict(estimate))) == {
        "value": 0.5,
        "low": None,
        "high": 0.75,
        "confidence": 0.95,
        "method": "BCa bootstrap",
        "count": 3,
    }


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_an_estimate_must_be_a_finite_number(number: float) -> None:
    with pytest.raises(ValueError, match="value: expected a finite number or None, got"):
        Estimate(number, None, None, 0.95, None, 3)


def test_a_reversed_interval_is_refused() -> None:
    with pytest.raises(ValueError, match=r"low: expected at most high \(1.0\), got 2.0"):
        Estimate(1.0, 2.0, 1.0, 0.95, Method.BCA, 3)


def test_an_interval_without_a_method_is_refused() -> None:
    with pytest.raises(ValueError, match="method: expected .*, got None"):
        Estimate(1.0, 0.0, 2.0, 0.95, None, 3)


def test_a_confidence_in_percent_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"confidence: expected a fraction in \(0, 1\), got 95; divide percent"
    ):
        Estimate(1.0, None, None, 95, None, 3)


@pytest.mark.parametrize(("confidence", "count"), [(0.95, 6), (0.975, 7), (0.9875, 8), (0.99, 8)])
def test_surer_intervals_need_more_values(confidence: float, count: int) -> None:
    # At 95 %: 2 / 2^5 = 6.25 % is more than 5 %; 2 / 2^6 = 3.125 % is not.
    assert find_min_count(confidence) == count
    assert 2 * 0.5**count <= 1 - confidence < 2 * 0.5 ** (count - 1)


def test_has_interval_is_true_if_one_end_is_known() -> None:
    assert Estimate(1.0, 0.5, None, 0.95, Method.KAPLAN_MEIER, 6).has_interval
    assert not Estimate(1.0, None, None, 0.95, None, 6).has_interval
