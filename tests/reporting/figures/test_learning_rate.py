from bnbench.reporting.figures import Figure
from tests.reporting.figures.conftest import RATES, TUNED, Drawer, fail, read_texts


def test_the_learning_rate_figure_says_which_rate_is_best_and_which_diverge(
    tuned: dict[str, Figure],
) -> None:
    figure = tuned["learning_rate"]
    texts = read_texts(figure)
    assert texts.count("best 0.01") == 2
    assert {"0.01", "0.1", "1", "chance", "rates within 2 points of the best"} <= set(texts)
    assert "baseline best 0.01; batchnorm best 0.01" in figure.alt
    assert "a cross is a trial that failed" in figure.caption
    assert len([row for row in figure.rows if row["series"] == "trial"]) == 2 * len(RATES) * 2
    assert [row["works"] for row in figure.rows if row["series"] == "mean"] == [
        True,
        True,
        False,
    ] * 2
    assert [row["num_diverged"] for row in figure.rows if row["series"] == "mean"] == [0, 0, 2] * 2


def test_a_variant_that_no_rate_trains_is_shown_so(drawer: Drawer) -> None:
    figure = drawer.draw(TUNED, fail("baseline"), rates={"batchnorm": 0.1})["learning_rate"]
    assert "no rate of the grid trains it" in read_texts(figure)
