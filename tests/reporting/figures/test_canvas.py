import pytest

from bnbench.reporting.figures.canvas import spread_labels


def test_labels_that_fit_stay_where_they_are() -> None:
    assert spread_labels([80.0, 20.0], gap=30, low=0, high=100) == [80.0, 20.0]


def test_labels_that_would_overlap_move_apart_evenly_and_keep_their_order() -> None:
    assert spread_labels([50.0, 52.0], gap=30, low=0, high=100) == [36.0, 66.0]
    assert spread_labels([52.0, 50.0], gap=30, low=0, high=100) == [66.0, 36.0]


@pytest.mark.parametrize(
    ("wanted", "expected"), [([0.0, 1.0], [0.0, 30.0]), ([100.0, 100.0], [70.0, 100.0])]
)
def test_labels_stay_within_the_panel(wanted: list[float], expected: list[float]) -> None:
    assert spread_labels(wanted, gap=30, low=0, high=100) == expected
