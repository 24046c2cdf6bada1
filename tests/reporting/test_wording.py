import pytest

from bnbench.reporting import wording
from bnbench.stats import Estimate, Method


def make(value: float | None, low: float | None = None, high: float | None = None) -> Estimate:
    method = None if low is None and high is None else Method.BCA
    return Estimate(value, low, high, 0.95, method, 30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (wording.format_points(make(0.0142, 0.0094, 0.0201)), "+1.42 points [+0.94, +2.01]"),
        (wording.format_points(make(-0.01)), "-1.00 points"),
        (wording.format_points(make(None)), "not known"),
        (wording.format_accuracy(make(0.8712, 0.87, 0.8725)), "87.12 % [87.00, 87.25]"),
        (wording.format_number(make(1.67, 1.25, None)), "1.67 [1.25, open]"),
        (wording.format_number(make(4690.0, 4690.0, 4690.0), 0), "4,690 [4,690, 4,690]"),
        (wording.format_seconds(0.10512), "0.105 s"),
        (wording.format_seconds(None), "not known"),
        (wording.format_seconds(4.1), "4.10 s"),
        (wording.format_seconds(123.4), "123 s"),
        (wording.format_seconds(99999.0), "99999 s"),
        (wording.shorten_name("batchnorm"), "batchnorm"),
        (wording.shorten_name("a_network_of_many_layers_v2"), "a_networ…layers_v2"),
        (wording.format_count(1, "seed"), "1 seed"),
        (wording.format_count(2000, "seed"), "2,000 seeds"),
        (wording.join_words(["a"]), "a"),
        (wording.join_words(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_numbers_are_written_the_same_way_everywhere(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([0.401, 10.7], ["0.40", "10.70"]),
        ([0.896, 0.138], ["0.896", "0.138"]),
        ([12.34, 45.6], ["12.3", "45.6"]),
        ([1234.5, 2000.0], ["1,234", "2,000"]),
        ([None, 2.0], ["not known", "2.00"]),
        ([None], ["not known"]),
        ([0.0], ["0"]),
    ],
    ids=str,
)
def test_numbers_read_together_have_equal_digits(
    numbers: list[float | None], texts: list[str]
) -> None:
    assert wording.format_together(numbers) == texts
