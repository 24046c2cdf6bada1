import numpy as np
import pytest
from scipy import stats

from bnbench.stats.estimates import Method
from bnbench.stats.means import MIN_COUNT_FOR_BCA, estimate_means


def test_few_values_have_students_interval() -> None:
    # 1..5: mean 3, s = sqrt(2.5), t(0.975, 4) = 2.77645: margin 2.77645 * sqrt(2.5 / 5) = 1.96325
    values = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    (estimate,) = estimate_means(values, np.random.default_rng(0))
    assert estimate.method is Method.STUDENT_T
    assert estimate.value == 3.0
    assert estimate.low == pytest.approx(3 - 1.96324, abs=1e-4)
    assert estimate.high == pytest.approx(3 + 1.96324, abs=1e-4)
    assert estimate.count == 5


def test_enough_values_have_the_bca_interval() -> None:
    values = np.random.default_rng(0).normal(size=(MIN_COUNT_FOR_BCA, 1))
    assert estimate_means(values, np.random.default_rng(0))[0].method is Method.BCA
    assert estimate_means(values[1:], np.random.default_rng(0))[0].method is Method.STUDENT_T


def test_the_bca_interval_is_scipys_at_the_widened_level() -> None:
    values = np.random.default_rng(3).exponential(size=30)
    (estimate,) = estimate_means(values[:, None], np.random.default_rng(7))
    level = 2 * stats.norm.cdf(np.sqrt(30 / 29) * stats.t.ppf(0.975, 29)) - 1
    expected = stats.bootstrap(
        (values,), np.mean, confidence_level=level, method="BCa", rng=np.random.default_rng(7)
    ).confidence_interval
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), rel=1e-12)


def test_one_value_has_no_interval() -> None:
    (estimate,) = estimate_means([[0.5]], np.random.default_rng(0))
    assert (estimate.value, estimate.low, estimate.high) == (0.5, None, None)
    assert estimate.method is None


def test_no_value_has_no_mean() -> None:
    (estimate,) = estimate_means([[np.nan], [np.nan]], np.random.default_rng(0))
    assert (estimate.value, estimate.low, estimate.count) == (None, None, 0)


@pytest.mark.parametrize("count", [2, 30])
def test_equal_values_have_an_interval_of_no_width(count: int) -> None:
    (estimate,) = estimate_means(np.full((count, 1), 0.7), np.random.default_rng(0))
    assert (estimate.value, estimate.low, estimate.high) == (0.7, 0.7, 0.7)
    assert estimate.method is Method.ALL_EQUAL


def test_a_missing_value_is_left_out_of_its_column_only() -> None:
    values = np.array([[1.0, 1.0], [3.0, np.nan], [5.0, 5.0]])
    first, second = estimate_means(values, np.random.default_rng(0))
    assert (first.value, first.count) == (3.0, 3)
    assert (second.value, second.count) == (3.0, 2)


def test_columns_keep_their_order_whatever_is_missing() -> None:
    values = np.tile(np.arange(4.0), (12, 1)) + np.random.default_rng(0).normal(size=(12, 4)) / 100
    values[0, [0, 2]] = np.nan
    estimates = estimate_means(values, np.random.default_rng(0))
    assert [round(estimate.value or 0.0) for estimate in estimates] == [0, 1, 2, 3]
    assert [estimate.count for estimate in estimates] == [11, 12, 11, 12]


def test_an_interval_stays_within_the_bounds() -> None:
    values = np.array([[0.9], [1.0], [1.0]])
    (estimate,) = estimate_means(values, np.random.default_rng(0), bounds=(0.0, 1.0))
    assert estimate.high == 1.0


def test_the_same_generator_seed_gives_the_same_bits() -> None:
    values = np.random.default_rng(0).normal(size=(30, 5))
    first = estimate_means(values, np.random.default_rng(4))
    assert first == estimate_means(values, np.random.default_rng(4))
    assert first != estimate_means(values, np.random.default_rng(5))


@pytest.mark.parametrize(
    ("distribution", "least", "most"),
    [("normal", 0.94, 0.965), ("exponential", 0.93, 0.96), ("one in ten fails", 0.925, 0.96)],
)
def test_a_95_percent_interval_of_30_values_covers_95_percent(
    distribution: str, least: float, most: float
) -> None:
    # 2,000 samples: the simulation error is sqrt(0.95 * 0.05 / 2000) = 0.5 points.
    generator = np.random.default_rng(2024)
    shape = (30, 2000)
    values, truth = {
        "normal": (generator.normal(size=shape), 0.0),
        "exponential": (generator.exponential(size=shape), 1.0),
        "one in ten fails": (
            generator.normal(size=shape) - 10.0 * (generator.random(shape) < 0.1),
            -1.0,
        ),
    }[distribution]
    # Blocks of 100, since samples in one call share their resamples.
    covered = 0
    for start in range(0, 2000, 100):
        for estimate in estimate_means(
            values[:, start : start + 100], generator, num_resamples=999
        ):
            assert estimate.low is not None
            assert estimate.high is not None
            covered += estimate.low <= truth <= estimate.high
    assert least <= covered / 2000 <= most
