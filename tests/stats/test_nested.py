from collections.abc import Callable

import numpy as np
import pytest

from bnbench.specs import StudySpec, TuningSpec
from bnbench.stats.learning_rate import choose_learning_rate, list_finalists
from bnbench.stats.nested import TunedAccuracy, estimate_nested_difference, list_alternates
from bnbench.stats.simultaneous import correct_confidence, count_contrasts
from bnbench.training.catalog import SERIES

RATES = np.array([0.01, 0.1, 1.0])
NAN = float("nan")
Truth = Callable[[float], float]
"""True accuracy by octaves above the rate 0.001."""
# Accuracy by rate: 13 rates, both networks best somewhere inside the grid.
GRID = np.arange(13.0)
BASELINE = 0.840 - 0.0012 * (GRID - 6.3) ** 2
CANDIDATE = 0.855 - 0.0010 * (GRID - 3.4) ** 2
THIRD = 0.850 - 0.0011 * (GRID - 4.6) ** 2


def make_generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def make_side(tuning: list[list[float]], scored: list[list[float]]) -> TunedAccuracy:
    return TunedAccuracy(RATES, np.array(tuning), np.array(scored))


def test_rates_that_other_seeds_might_have_chosen_are_listed_likeliest_first() -> None:
    # Sums over the five seeds: rate 1 leads by 0.1; the others lead in one or two of the seeds.
    accuracy = [[0.80, 0.50, 0.50, 0.50, 0.50], [0.50, 0.85, 0.80, 0.50, 0.60], [0.5] * 5]
    assert list_alternates(RATES, accuracy, 3, make_generator()) == (0.01,)
    assert list_alternates(RATES, accuracy, 0, make_generator()) == ()


def test_a_rate_that_is_best_on_every_seed_has_no_alternates() -> None:
    accuracy = [[0.7, 0.7], [0.8, 0.8], [NAN, 0.1]]
    assert list_alternates(RATES, accuracy, 3, make_generator()) == ()


def test_if_the_choice_is_certain_only_the_seeds_are_in_the_interval() -> None:
    tuning = [[0.5] * 4, [0.8] * 4, [0.1] * 4]
    difference = np.linspace(0.0, 0.02, 12)
    empty = [NAN] * 12
    found = estimate_nested_difference(
        make_side(tuning, [empty, [0.8] * 12, empty]),
        make_side(tuning, [empty, (0.8 + difference).tolist(), empty]),
        make_generator(),
    )
    assert found is not None
    assert found.estimate.value == pytest.approx(0.01)
    assert found.choice_deviation == pytest.approx(0.0, abs=1e-12)
    assert found.seed_deviation == pytest.approx(difference.std(ddof=1) / np.sqrt(12))
    assert found.covered_share == 1.0
    assert found.estimate.low is not None
    assert found.estimate.high is not None
    # Student's interval, which a bootstrap of few values is widened to.
    assert found.estimate.high - 0.01 == pytest.approx(2.201 * found.seed_deviation, rel=0.05)
    assert 0.01 - found.estimate.low == pytest.approx(2.201 * found.seed_deviation, rel=0.05)


def test_a_choice_between_two_rates_spreads_the_difference() -> None:
    # Of the 4^4 draws of tuning seeds, those with fewer than two of the first seed choose 0.1.
    flat = [0.8] * 12
    baseline = make_side([[0.5] * 4, [0.8] * 4, [0.1] * 4], [[NAN] * 12, flat, [NAN] * 12])
    tuning = [[0.95, 0.7, 0.7, 0.7], [0.79, 0.79, 0.79, 0.79], [0.1] * 4]
    scored = [[0.85] * 12, [0.82] * 12, [NAN] * 12]
    found = estimate_nested_difference(baseline, make_side(tuning, scored), make_generator())
    assert found is not None
    assert found.estimate.value == pytest.approx(0.02)
    assert found.seed_deviation == pytest.approx(0.0, abs=1e-12)
    share = 1.0 - (3**4 + 4 * 3**3) / 4**4
    deviation = 0.03 * np.sqrt(share * (1.0 - share))
    assert found.choice_deviation == pytest.approx(deviation, rel=0.03)
    assert (found.estimate.low, found.estimate.high) == (
        pytest.approx(0.02),
        pytest.approx(0.05),
    )


def test_a_choice_that_was_not_scored_takes_the_best_rate_that_was_and_is_counted() -> None:
    flat = [0.8] * 12
    baseline = make_side([[0.5] * 4, [0.8] * 4, [0.1] * 4], [[NAN] * 12, flat, [NAN] * 12])
    tuning = [[0.95, 0.7, 0.7, 0.7], [0.79, 0.79, 0.79, 0.79], [0.1] * 4]
    found = estimate_nested_difference(
        baseline, make_side(tuning, [[NAN] * 12, [0.82] * 12, [NAN] * 12]), make_generator()
    )
    assert found is not None
    assert found.covered_share == pytest.approx((3**4 + 4 * 3**3) / 4**4, abs=0.02)
    assert (found.estimate.low, found.estimate.high) == (pytest.approx(0.02), pytest.approx(0.02))


def test_failed_trials_leave_their_pair_out() -> None:
    tuning = [[0.5] * 4, [0.8] * 4, [0.1] * 4]
    empty = [NAN] * 13
    found = estimate_nested_difference(
        make_side(tuning, [empty, [NAN, *[0.8] * 12], empty]),
        make_side(tuning, [empty, [0.9, *[0.81] * 12], empty]),
        make_generator(),
    )
    assert found is not None
    assert found.estimate.count == 12
    assert found.estimate.value == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("tuning", "scored"),
    [
        ([[0.1] * 2, [NAN] * 2, [0.1] * 2], [[0.1] * 12] * 3),
        ([[0.1] * 2, [0.8] * 2, [0.1] * 2], [[0.8] * 12, [NAN] * 12, [0.8] * 12]),
    ],
    ids=["nothing learned", "the chosen rate was not scored"],
)
def test_without_a_scored_choice_there_is_no_difference(
    tuning: list[list[float]], scored: list[list[float]]
) -> None:
    good = make_side([[0.5] * 2, [0.8] * 2, [0.1] * 2], [[0.8] * 12] * 3)
    assert estimate_nested_difference(good, make_side(tuning, scored), make_generator()) is None


def test_few_seeds_have_no_interval() -> None:
    side = make_side([[0.5] * 2, [0.8] * 2, [0.1] * 2], [[0.8] * 9] * 3)
    found = estimate_nested_difference(side, side, make_generator())
    assert found is not None
    assert not found.estimate.has_interval


def test_a_draw_chooses_its_finalists_by_the_first_seeds_and_then_among_them() -> None:
    # Two first seeds and one finalist. If a draw has the first seed twice, rate 0.01 is its
    # finalist, with its own first seeds; otherwise rate 0.1, which no draw compares with another.
    tuning = [[0.9, 0.1, NAN, NAN], [0.6, 0.6, 0.1, 0.1], [0.1] * 2 + [NAN] * 2]
    tried = np.array([2, 4, 2])
    assert list_alternates(RATES, tuning, 3, make_generator(), tried) == (0.01,)
    flat = [0.8] * 12
    empty = [NAN] * 12
    baseline = make_side([[0.5] * 4, [0.8] * 4, [0.1] * 4], [empty, flat, empty])
    scored = [[0.85] * 12, [0.82] * 12, empty]
    candidate = TunedAccuracy(RATES, np.array(tuning), np.array(scored), tried)
    with pytest.raises(ValueError, match="as many first tuning seeds"):
        estimate_nested_difference(baseline, candidate, make_generator())
    baseline = TunedAccuracy(RATES, baseline.tuning, baseline.scored, np.array([2, 4, 2]))
    found = estimate_nested_difference(baseline, candidate, make_generator())
    assert found is not None
    assert found.estimate.value == pytest.approx(0.02)
    # A quarter of the draws has the first seed twice.
    assert found.choice_deviation == pytest.approx(0.03 * np.sqrt(0.25 * 0.75), rel=0.03)


@pytest.mark.parametrize(
    ("tuning", "tried"),
    [
        # One finalist: the first seeds alone choose it, however low the others are.
        ([[0.9, 0.1, NAN, NAN], [0.6, 0.6, 0.1, 0.1], [0.5, 0.5, NAN, NAN]], [2, 4, 2]),
        # Two finalists: one that has the first seeds only keeps their mean.
        ([[0.9, 0.1, NAN, NAN], [0.6, 0.6, 0.6, 0.6], [0.5, 0.5, 0.5, 0.5]], [2, 4, 4]),
    ],
    ids=["one finalist", "two finalists"],
)
def test_a_draw_races_as_the_tuning_did(tuning: list[list[float]], tried: list[int]) -> None:
    # The rate 0.01, which was not scored, is chosen if a draw has the first seed twice: 1 in 4.
    scored = np.array([[NAN] * 12, [0.82] * 12, [NAN] * 12])
    side = TunedAccuracy(RATES, np.array(tuning), scored, np.array(tried))
    found = estimate_nested_difference(side, side, make_generator())
    assert found is not None
    assert found.choice_deviation == 0.0
    assert found.covered_share == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("tried", [[1, 2], [0, 1, 2], [1, 2, 3]], ids=["few", "none", "many"])
def test_numbers_of_tried_seeds_that_do_not_fit_are_refused(tried: list[int]) -> None:
    with pytest.raises(ValueError, match=r"num_tried: expected one number in \[1, 2\]"):
        list_alternates(RATES, [[0.5] * 2] * 3, 3, make_generator(), tried)


def race(
    generator: np.random.Generator, truth: Truth, noise: float, plan: TuningSpec
) -> TunedAccuracy:
    """Tune as ``bnbench.tuning`` does, then score the best rate and its alternates.

    Rates share 70 % of a seed's variance.
    """
    num_seeds, num_first = len(plan.seeds), len(plan.first_seeds)
    shared = generator.standard_normal(num_seeds + 30)
    drawn: dict[float, np.ndarray] = {}

    def draw(octaves: float) -> np.ndarray:
        if octaves not in drawn:
            own = generator.standard_normal(len(shared))
            mixed = np.sqrt(0.7) * shared + np.sqrt(0.3) * own
            drawn[octaves] = np.clip(truth(octaves) + noise * mixed, 0.0, 1.0)
        return drawn[octaves]

    tried = [float(np.log2(rate / 0.001)) for rate in plan.learning_rates]
    for step in plan.refine_octaves:
        best = max(tried, key=lambda each: draw(each)[:num_first].mean())
        tried = sorted({*tried, best - step, best + step})
    rates = 0.001 * 2.0 ** np.array(tried)
    accuracy = np.array([draw(each) for each in tried])
    finalists = list_finalists(rates, accuracy[:, :num_first], plan.num_finalists)
    is_complete = np.isin(rates, finalists)
    num_tried = np.where(is_complete, num_seeds, num_first)
    tuning = accuracy[:, :num_seeds].copy()
    tuning[~is_complete, num_first:] = np.nan
    best_rate = choose_learning_rate(rates, tuning, num_tried)
    others = list_alternates(rates, tuning, plan.max_alternates, generator, num_tried)
    scored = accuracy[:, num_seeds:].copy()
    scored[~np.isin(rates, [best_rate, *others])] = np.nan
    scored[np.isin(rates, others), plan.num_alternate_seeds or 30 :] = np.nan
    return TunedAccuracy(rates, tuning, scored, num_tried)


# The networks by octaves above 0.001: at a constant rate, trials differ by 1.6 points; with a rate
# that falls to zero by 0.25, the baseline has a sharp best rate and the candidate nearly none.
CASES: dict[str, tuple[Truth, Truth, float]] = {
    "constant": (
        lambda octaves: 0.840 - 0.0012 * (octaves - 6.3) ** 2,
        lambda octaves: 0.855 - 0.0010 * (octaves - 3.4) ** 2,
        0.016,
    ),
    "linear": (
        lambda octaves: 0.8685 - 0.0050 * (octaves - 8.2) ** 2,
        lambda octaves: 0.8855 - 0.0004 * (octaves - 7.0) ** 2,
        0.0025,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "study",
    # The study with precise statistics is tuned as the one before it.
    [study for study in SERIES["fair"].studies if study.name not in ("notebook", "linear-precise")],
    ids=lambda study: study.name,
)
def test_the_nested_interval_covers_the_difference_in_every_study_of_fair(
    study: StudySpec,
) -> None:
    assert study.tuning is not None
    generator = make_generator(9)
    first, second, noise = CASES[study.recipe.schedule]
    octaves = np.linspace(0.0, 12.0, 1_201)
    truth = max(map(second, octaves)) - max(map(first, octaves))
    covered = 0
    for _ in range(300):
        sides = [race(generator, each, noise, study.tuning) for each in (first, second)]
        found = estimate_nested_difference(*sides, generator)
        assert found is not None
        assert found.estimate.low is not None
        assert found.estimate.high is not None
        covered += found.estimate.low <= truth <= found.estimate.high
    # Of 300 intervals at 95 %, 276 or more cover but for one test in 100.
    assert covered >= 276


def draw_side(generator: np.random.Generator, truth: np.ndarray, num_tuning: int) -> TunedAccuracy:
    """Trials whose seeds share most of their deviation between rates, as real ones do."""

    def draw(num_seeds: int) -> np.ndarray:
        shared = generator.standard_normal((1, num_seeds))
        own = generator.standard_normal((len(truth), num_seeds))
        noise = np.sqrt(0.7) * shared + np.sqrt(0.3) * own
        return np.clip(truth[:, None] + 0.016 * noise, 0.0, 1.0)

    return TunedAccuracy(0.001 * 2.0**GRID, draw(num_tuning), draw(30))


@pytest.mark.slow
@pytest.mark.parametrize("num_tuning", [5, 15])
def test_the_nested_interval_covers_the_difference_of_the_best_rates(num_tuning: int) -> None:
    generator = make_generator(8)
    truth = CANDIDATE.max() - BASELINE.max()
    covered = 0
    for _ in range(300):
        sides = [draw_side(generator, each, num_tuning) for each in (BASELINE, CANDIDATE)]
        found = estimate_nested_difference(*sides, generator)
        assert found is not None
        low, high = found.estimate.low, found.estimate.high
        assert low is not None
        assert high is not None
        covered += low <= truth <= high
    # Of 300 intervals at 95 %, 276 or more cover but for one test in 100.
    assert covered >= 276


@pytest.mark.slow
def test_the_nested_intervals_of_three_variants_cover_together() -> None:
    generator, truths = make_generator(9), (BASELINE, CANDIDATE, THIRD)
    confidence = correct_confidence(count_contrasts(3))
    covered = 0
    for _ in range(100):
        sides = [draw_side(generator, each, 15) for each in truths]
        means = [side.scored[side.tuning.mean(axis=1).argmax()].mean() for side in sides]
        *_, second, best = np.argsort(means)  # chosen by their results, as in a report
        holds = []
        for one, other in ((0, 1), (0, 2), (second, best)):
            found = estimate_nested_difference(
                sides[one], sides[other], generator, confidence=confidence
            )
            assert found is not None
            low, high = found.estimate.low, found.estimate.high
            assert low is not None
            assert high is not None
            holds.append(low <= truths[other].max() - truths[one].max() <= high)
        covered += all(holds)
    # Of 100 families at 95 %, 89 or more hold together but for one test in 100.
    assert covered >= 89
