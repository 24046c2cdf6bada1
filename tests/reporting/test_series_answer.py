from collections.abc import Sequence

import pytest

from bnbench import stats
from bnbench.reporting.sections.accuracy import ContrastSummary, VariantSummary
from bnbench.reporting.sections.recipes import RecipeSummary
from bnbench.reporting.series_answer import LONGEST, compose_series_answer, say_series_headline
from bnbench.stats import Estimate, Method, Outcome

NAMES = ("baseline", "batchnorm")
NOTEBOOK, CONSTANT = "notebook's rate", "best constant rate"
FALLING = "best rate falling to zero"
BETTER, WORSE, OPEN = Outcome.BETTER, Outcome.WORSE, Outcome.NO_CONCLUSION
LEVEL = Outcome.NOT_MEANINGFULLY_BETTER


def estimate(value: float | None, half: float = 0.0) -> Estimate:
    if value is None:
        return Estimate(None, None, None, 0.99, None, 0)
    return Estimate(value, value - half, value + half, 0.99, Method.BCA, 30)


def variant(name: str, mean: float | None) -> VariantSummary:
    curve = (stats.EpochSummary(5, estimate(mean), 0.001, mean, mean, mean),)
    return VariantSummary(name, "cpu", "native", 0.1, 30, 0, curve)


def row(
    words: str,
    baseline: float | None,
    candidate: float | None,
    outcome: Outcome,
    half: float = 0.0,
    more: int | None = None,
) -> RecipeSummary:
    """A row of two accuracies; `half` is half the width of the difference's interval."""
    known = baseline is not None and candidate is not None
    difference = candidate - baseline if known else None  # type: ignore[operator]
    probability = estimate(0.7)
    contrast = ContrastSummary(
        *NAMES,
        "cpu",
        "native",
        30,
        (estimate(difference, half),),
        stats.Pairing(estimate(None), None, None),
        stats.Improvement(probability, 0, 0, 0),
        stats.Decision(outcome, probability, more),
    )
    recipe = "notebook" if words == NOTEBOOK else "constant" if words == CONSTANT else "linear"
    return RecipeSummary(
        recipe,
        recipe,
        words,
        5,
        words != NOTEBOOK,
        "linear" if recipe == "linear" else "constant",
        variant("baseline", baseline),
        variant("batchnorm", candidate),
        contrast,
    )


FIRST = row(NOTEBOOK, 0.6, 0.813, BETTER)

HEADLINES: dict[str, tuple[Sequence[RecipeSummary], str]] = {
    "ahead everywhere": (
        [FIRST, row(CONSTANT, 0.847, 0.86, BETTER), row(FALLING, 0.866, 0.872, BETTER)],
        "Batch normalization leads with every recipe: from +21.3 points at the notebook's rate "
        "to +0.6 with the best recipe.",
    ),
    "behind with the best": (
        [FIRST, row(CONSTANT, 0.847, 0.856, OPEN), row(FALLING, 0.876, 0.872, WORSE)],
        "Batch normalization leads with 1 of 3 recipes, trails with 1: +21.3 points at the "
        "notebook's rate, -0.4 with the best.",
    ),
    "open with the best": (
        [FIRST, row(FALLING, 0.871, 0.872, OPEN)],
        "Batch normalization leads with 1 of 2 recipes: +21.3 points at the notebook's rate, "
        "+0.1 (undecided) with the best.",
    ),
    "no gain with the best": (
        [FIRST, row(FALLING, 0.8719, 0.872, LEVEL)],
        "Batch normalization leads with 1 of 2 recipes: +21.3 points at the notebook's rate, "
        "+0.01 (negligible) with the best.",
    ),
    "one of three open": (
        [FIRST, row(CONSTANT, 0.847, 0.856, OPEN), row(FALLING, 0.866, 0.872, BETTER)],
        "Batch normalization leads with 2 of 3 recipes, 1 undecided: +21.3 points at the "
        "notebook's rate, +0.6 with the best.",
    ),
    "the choice of the rates may turn it around": (
        [FIRST, row(FALLING, 0.866, 0.872, BETTER, half=0.007)],
        "Batch normalization leads with 1 of 2 recipes: +21.3 points at the notebook's rate, "
        "+0.6 (undecided) with the best.",
    ),
    "behind everywhere": (
        [row(NOTEBOOK, 0.7, 0.69, WORSE), row(FALLING, 0.88, 0.86, WORSE)],
        "Batch normalization trails with every recipe: from -1.0 points at the notebook's rate "
        "to -2.0 with the best recipe.",
    ),
    "behind once": (
        [row(NOTEBOOK, 0.7, 0.7, OPEN), row(FALLING, 0.88, 0.86, WORSE)],
        "Batch normalization trails with 1 of 2 recipes: from 0 points (undecided) at the "
        "notebook's rate to -2.0 with the best.",
    ),
    "all open": (
        [row(NOTEBOOK, 0.7, 0.72, OPEN), row(FALLING, 0.88, 0.89, OPEN)],
        "Whether batch normalization leads is open: from +2.0 points at the notebook's rate to "
        "+1.0 with the best recipe.",
    ),
    "no gain at all": (
        [row(CONSTANT, 0.7, 0.701, LEVEL), row(FALLING, 0.88, 0.88, LEVEL)],
        "Batch normalization has no meaningful gain with any recipe: +0.1 points at the best "
        "constant rate, 0 with the best.",
    ),
    "the first is the best recipe": (
        [row(CONSTANT, 0.85, 0.90, BETTER), FIRST, row(FALLING, 0.866, 0.872, BETTER)],
        "Batch normalization leads with every recipe: +5.0 points with the best, +0.6 to +21.3 "
        "with the others.",
    ),
    "a network that never finished": (
        [row(NOTEBOOK, None, 0.813, BETTER), row(FALLING, 0.866, 0.872, BETTER)],
        "Batch normalization leads with every recipe: +0.6 points at the best rate falling to "
        "zero.",
    ),
    "one row": (
        [FIRST],
        "Batch normalization leads by 21.3 points at the notebook's rate: 81.3 % right instead "
        "of 60.0 %.",
    ),
    "one row, behind": (
        [row(CONSTANT, 0.86, 0.85, WORSE)],
        "Batch normalization trails by 1.0 points at the best constant rate: 85.0 % right "
        "instead of 86.0 %.",
    ),
    "one row, open": (
        [row(CONSTANT, 0.86, 0.87, OPEN)],
        "Whether batch normalization leads at the best constant rate is open: 87.0 % right "
        "against 86.0 %.",
    ),
    "one row, no gain": (
        [row(CONSTANT, 0.86, 0.86, LEVEL)],
        "Batch normalization has no meaningful gain at the best constant rate: 86.0 % right "
        "against 86.0 %.",
    ),
    "one row, one network": (
        [row(CONSTANT, None, 0.86, BETTER)],
        "Batch normalization leads at the best constant rate: every trial of one network failed.",
    ),
}


@pytest.mark.parametrize("case", HEADLINES)
def test_the_sentence_is_right_in_every_case(case: str) -> None:
    rows, expected = HEADLINES[case]
    assert say_series_headline(rows, "batchnorm", 0) == expected
    assert len(expected) <= LONGEST


def test_an_incomplete_series_says_so_first() -> None:
    rows = [FIRST, row(FALLING, 0.866, 0.872, BETTER)]
    answer = compose_series_answer(rows, NAMES, ["linear-precise (12 trials missing)"], 3)
    assert answer[0] == (
        "So far, batch normalization leads with every recipe: from +21.3 points at the "
        "notebook's rate to +0.6 with the best."
    )
    assert answer[1] == "Left out: linear-precise (12 trials missing)."


def test_a_long_name_is_cut_before_a_number_is() -> None:
    rows = [FIRST, row(FALLING, 0.866, 0.872, BETTER)]
    text = say_series_headline(rows, "the_network_with_a_name_of_forty_letters", 0)
    assert text == (
        "the_netw…y_letters leads with every recipe: from +21.3 points at the notebook's rate to "
        "+0.6 with the best recipe."
    )


def test_the_answer_says_which_recipe_is_best_and_what_brackets_hold() -> None:
    rows = [FIRST, row(FALLING, 0.876, 0.872, OPEN, more=13)]
    _, best, brackets, more = compose_series_answer(rows, NAMES, [], 5)
    assert "best rate falling to zero, 5 epochs. There the baseline has 87.60 %" in best
    assert "intervals of 99 % each: all 5 differences hold at once" in brackets
    assert more == (
        "To decide what is undecided, train more seeds of both networks: 13 for the best rate "
        "falling to zero, 5 epochs."
    )


def test_the_answer_explains_precise_statistics_where_a_row_has_them() -> None:
    rows = [FIRST, row(f"{FALLING}, precise statistics", 0.866, 0.872, BETTER)]
    assert compose_series_answer(rows, NAMES, [], 5)[-1].startswith("Precise statistics: after")
    assert not compose_series_answer(rows[:1], NAMES, [], 5)[-1].startswith("Precise")
