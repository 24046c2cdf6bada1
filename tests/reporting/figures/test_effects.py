from dataclasses import replace

from bnbench.recipes import RecipeChange
from bnbench.records import TrialRecord
from bnbench.specs import StudySpec, VariantSpec
from tests.conftest import make_epochs
from tests.reporting.figures.conftest import STUDY, Drawer, read_texts

ACCURACIES = {"baseline": 0.7, "good": 0.8, "same": 0.7, "bad": 0.6}
THREE = replace(STUDY, variants=tuple(VariantSpec(name) for name in ACCURACIES))


def set_accuracies(record: TrialRecord) -> TrialRecord:
    """Give each variant its accuracy, and each seed a small difference of its own."""
    trial = record.trial
    noise = 0.001 * ((trial.seed * 7 + len(trial.variant.name) * trial.seed) % 5 - 2)
    last = ACCURACIES[trial.variant.name] + noise
    return replace(record, epochs=make_epochs([0.1, 0.2, last]))


def test_each_variant_has_a_row_with_its_difference_the_best_first(drawer: Drawer) -> None:
    figure = drawer.draw(THREE, set_accuracies)["effects"]
    assert [row["variant"] for row in figure.rows] == ["good", "same", "bad"]
    differences = [row["difference"] for row in figure.rows]
    assert all(isinstance(value, float) for value in differences)
    assert [round(float(value or 0), 2) for value in differences] == [0.1, 0.0, -0.1]
    assert [row["verdict"] for row in figure.rows][::2] == ["better", "worse"]
    for row in figure.rows:
        assert row["low"] is not None
        assert float(row["low"]) <= float(row["difference"] or 0) <= float(row["high"] or 0)


def test_the_axis_says_what_is_compared_and_with_what(drawer: Drawer) -> None:
    texts = read_texts(drawer.draw(THREE, set_accuracies)["effects"])
    assert "test accuracy against baseline, points" in texts
    assert {"good", "same", "bad"} <= set(texts)


def test_two_variants_need_no_such_figure(drawer: Drawer) -> None:
    study: StudySpec = replace(THREE, variants=THREE.variants[:2])
    assert "effects" not in drawer.draw(study, set_accuracies)


def test_variants_that_fix_a_source_of_randomness_are_no_techniques(drawer: Drawer) -> None:
    fixed = RecipeChange(order_seed=9)
    study = replace(THREE, variants=(*THREE.variants[:2], VariantSpec("same", recipe=fixed)))
    assert "effects" not in drawer.draw(study, set_accuracies)
