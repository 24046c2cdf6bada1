import numpy as np
import pytest

from bnbench.reporting.figures.budget import draw_budget
from bnbench.reporting.figures.output import use_settings
from bnbench.reporting.sections.budget import SearchSummary
from bnbench.stats import estimate_budgets
from tests.reporting.figures.conftest import read_texts


def search(num_trials: int) -> SearchSummary:
    """The baseline's trials reach 50 to 69 percent and so on; the candidate's 10 points more."""
    baseline = 0.5 + 0.01 * np.arange(num_trials)
    budgets = estimate_budgets(baseline, baseline + 0.1, np.random.default_rng(0))
    return SearchSummary("baseline", "batchnorm", num_trials, num_trials, 1, ("linear",), budgets)


def test_the_budget_figure_ends_with_both_networks_and_their_difference() -> None:
    with use_settings():
        figure = draw_budget(search(20))
    assert figure is not None
    # Two of twenty equally spaced trials: 50 + 2 * 21 / 3 - 1 percent.
    assert {"63.0 %", "73.0 %", "+10.0 points", "1", "2"} <= set(read_texts(figure))
    differences = [row["value"] for row in figure.rows if row["series"] == "difference"]
    assert differences == pytest.approx([0.1, 0.1])
    assert "from 20 trials of each network" in figure.caption


def test_nothing_is_drawn_where_nothing_was_tuned() -> None:
    assert draw_budget(None) is None
