import numpy as np
import pytest

from bnbench.reporting.figures.budget import draw_budget
from bnbench.reporting.figures.output import use_settings
from bnbench.reporting.sections.budget import SearchSummary
from bnbench.stats import estimate_budgets
from tests.reporting.figures.conftest import read_texts


def search(num_seeds: int) -> SearchSummary:
    """The baseline's two recipes reach 50 and 60 percent; the candidate's 10 points more."""
    baseline = np.array([[0.5], [0.6]]) + 0.001 * np.arange(num_seeds) * np.ones((2, 1))
    budgets = estimate_budgets(baseline, baseline + 0.1, np.random.default_rng(0))
    return SearchSummary("baseline", "batchnorm", 2, ("linear",), num_seeds, budgets)


@pytest.mark.parametrize(("num_seeds", "has_bands"), [(1, False), (3, True)])
def test_the_budget_figure_ends_with_both_networks_and_their_difference(
    num_seeds: int, has_bands: bool
) -> None:
    with use_settings():
        figure = draw_budget(search(num_seeds))
    assert figure is not None
    reached = 60 + 0.1 * (num_seeds - 1) / 2
    texts = {f"{reached:.1f} %", f"{reached + 10:.1f} %", "+10.0 points", "1", "2"}
    assert texts <= set(read_texts(figure))
    differences = [row["value"] for row in figure.rows if row["series"] == "difference"]
    assert differences == pytest.approx([0.1, 0.1])
    assert ("Bands are 95 % intervals" in figure.caption) == has_bands


def test_nothing_is_drawn_where_nothing_was_tuned() -> None:
    assert draw_budget(None) is None
