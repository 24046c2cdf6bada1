from dataclasses import replace

import pytest

from bnbench.recipes import RecipeChange
from bnbench.records import TrialRecord
from bnbench.specs import VariantSpec
from tests.conftest import BASELINE, make_epochs
from tests.reporting.figures.conftest import STUDY, Drawer, fail, read_texts

MANY = replace(
    STUDY,
    variants=(
        BASELINE,
        replace(BASELINE, name="init", recipe=RecipeChange(order_seed=9)),
        *(VariantSpec(f"v{number}") for number in range(6)),
    ),
)


def halve(record: TrialRecord) -> TrialRecord:
    """Give every variant the same accuracies, and one of them half the distances."""
    size = 0.5 if record.trial.variant.name == "init" else 1.0
    last = 0.8 + 0.01 * size * (record.trial.seed * 5 % 8)
    return replace(record, epochs=make_epochs([0.1, 0.2, last]))


def test_every_variant_has_a_row_with_its_deviation_however_many_there_are(drawer: Drawer) -> None:
    figure = drawer.draw(MANY, halve)["spread"]
    assert [row["variant"] for row in figure.rows] == [each.name for each in MANY.variants]
    first, second, *_ = figure.rows
    assert first["deviation"] == pytest.approx(0.0244949, rel=1e-5)
    assert second["deviation"] == pytest.approx(0.0122474, rel=1e-5)
    assert float(first["low"] or 0) < 0.0244949 < float(first["high"] or 0)
    assert first["sampling_deviation"] == pytest.approx((0.835 * 0.165 / 100) ** 0.5)
    assert (second["whole"], second["source"]) == ("baseline", "order_seed")
    assert second["variance_ratio"] == pytest.approx(0.25)
    assert first["variance_ratio"] is None


def test_the_axis_says_what_is_shown_and_the_margin_each_share(drawer: Drawer) -> None:
    texts = read_texts(drawer.draw(MANY, halve)["spread"])
    assert {"standard deviation of test accuracy, points", "variance", "× 0.25"} <= set(texts)


def test_a_study_without_sources_has_no_margin(drawer: Drawer) -> None:
    texts = read_texts(drawer.draw(STUDY)["spread"])
    assert "variance" not in texts
    assert {"baseline", "batchnorm"} <= set(texts)


def test_few_seeds_or_no_spread_have_no_figure(drawer: Drawer) -> None:
    assert "spread" not in drawer.draw(replace(STUDY, seeds=(0, 1, 2, 3)))
    same = drawer.draw(STUDY, lambda r: replace(r, epochs=make_epochs([0.1, 0.2, 0.8])))
    assert "spread" not in same


def test_a_variant_that_failed_has_no_row(drawer: Drawer) -> None:
    figure = drawer.draw(STUDY, fail("batchnorm"))["spread"]
    assert [row["variant"] for row in figure.rows] == ["baseline"]
