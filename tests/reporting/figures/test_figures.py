import re
import sys
from dataclasses import replace

import matplotlib
import pytest

from bnbench.recipes import RecipeSpec
from bnbench.reporting.figures import Figure, draw_figures
from bnbench.reporting.figures.palette import CSS_VARIABLES
from bnbench.specs import StudySpec
from tests.conftest import BASELINE, BATCHNORM
from tests.reporting.figures.conftest import (
    STUDY,
    TUNED,
    Drawer,
    fail,
    read_texts,
)


@pytest.mark.parametrize(
    ("study", "options", "names"),
    [
        (STUDY, {}, ["accuracy", "spread", "time_to_target", "epoch_time", "losses"]),
        (
            TUNED,
            {},
            ["accuracy", "spread", "learning_rate", "time_to_target", "epoch_time", "losses"],
        ),
        (
            replace(TUNED, devices=("cpu", "cuda:0")),
            {"engine": "native"},
            ["accuracy", "spread", "learning_rate", "time_to_target", "epoch_time", "losses"],
        ),
        (replace(STUDY, seeds=(0,)), {}, ["accuracy", "time_to_target", "epoch_time", "losses"]),
        (
            replace(STUDY, recipe=RecipeSpec(epochs=1)),
            {},
            ["accuracy", "spread", "time_to_target", "epoch_time", "losses"],
        ),
        (
            replace(STUDY, target_accuracy=0.99),
            {},
            ["accuracy", "spread", "time_to_target", "epoch_time", "losses"],
        ),
        (STUDY, {"change": fail("baseline")}, ["accuracy", "spread", "losses"]),
        (
            STUDY,
            {"change": fail("batchnorm", num_epochs=1)},
            ["accuracy", "spread", "time_to_target", "epoch_time", "losses"],
        ),
        (
            TUNED,
            {"change": fail("baseline"), "rates": {"batchnorm": 0.1}},
            ["accuracy", "spread", "learning_rate", "losses"],
        ),
        (STUDY, {"num_trials": 3}, ["accuracy", "time_to_target", "epoch_time", "losses"]),
        (TUNED, {"num_trials": 3}, []),
        (STUDY, {"num_trials": 0}, []),
    ],
    ids=[
        "plain",
        "tuned",
        "two devices",
        "one seed",
        "one epoch",
        "target never reached",
        "a variant without an epoch",
        "a variant that failed after one epoch",
        "an untrainable variant",
        "interrupted",
        "interrupted in tuning",
        "nothing yet",
    ],
)
def test_any_run_is_drawn_as_far_as_it_went(
    drawer: Drawer, study: StudySpec, options: dict[str, object], names: list[str]
) -> None:
    figures = drawer.draw(study, **options)
    assert list(figures) == names
    for figure in figures.values():
        said = " ".join([*read_texts(figure), figure.caption, figure.alt])
        assert not re.search(r"\b(nan|inf|None)\b", said)
        numbers = re.findall(r' (?:d|x|y|transform|viewBox)="([^"]*)"', figure.svg)
        assert not re.search("nan|inf|None", " ".join(numbers))
        assert figure.png.startswith(b"\x89PNG")
        assert all(row.keys() <= figure.rows[0].keys() for row in figure.rows)
        assert figure.alt.endswith(".")
        assert "\n" not in figure.alt + figure.caption


@pytest.mark.slow
def test_each_device_has_a_panel(drawer: Drawer) -> None:
    figures = drawer.draw(replace(TUNED, devices=("cpu", "cuda:0")))
    for name, text in (
        ("accuracy", "cuda:0: test accuracy, %"),
        ("learning_rate", "cuda:0: validation accuracy, %"),
        ("epoch_time", "reference engine on cuda:0"),
    ):
        assert text in read_texts(figures[name])
        assert text.replace("cuda:0", "cpu") in read_texts(figures[name])
    assert "cuda:0: baseline 61.4 %" in figures["accuracy"].alt


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(drawer: Drawer, monkeypatch: pytest.MonkeyPatch) -> None:
    summary, records = drawer.summarize(TUNED)
    expected = draw_figures(summary, records)
    assert draw_figures(summary, records) == expected
    # Whatever settings the user has, which stay, and without the state that pyplot keeps.
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with matplotlib.rc_context({"font.size": 30.0, "svg.fonttype": "path"}):
        assert draw_figures(summary, records) == expected
        assert matplotlib.rcParams["font.size"] == 30.0


def test_the_colours_follow_the_page_and_nothing_has_another(
    tuned: dict[str, Figure],
) -> None:
    for figure in tuned.values():
        colors = set(re.findall(r"#[0-9a-fA-F]{6}\b", figure.svg))
        assert colors <= CSS_VARIABLES.keys()
        without_variables = re.sub(r"var\(--[\w-]+, #[0-9a-f]{6}\)", "", figure.svg)
        assert not re.search(r"#[0-9a-f]{6}\b", without_variables)


def test_ids_of_different_figures_never_clash(tuned: dict[str, Figure]) -> None:
    seen: set[str] = set()
    for name, figure in tuned.items():
        ids = re.findall(r' id="([^"]+)"', figure.svg)
        assert len(ids) == len(set(ids))
        assert all(identifier.startswith(f"{name}-") for identifier in ids)
        assert not seen & set(ids)
        references = re.findall(r'(?:href="#|url\(#)([^")]+)', figure.svg)
        assert set(references) == set(ids)
        seen |= set(ids)


def test_a_name_in_any_script_is_drawn_without_a_warning(drawer: Drawer) -> None:
    named = replace(BASELINE, name="基準")
    figures = drawer.draw(replace(STUDY, variants=(named, BATCHNORM)))
    assert "基準" in read_texts(figures["accuracy"])


NAMES = ["mistakes", "disagreements", "activations", "gradients"]


def test_an_inspected_run_has_all_four_figures_and_another_has_none(
    drawer: Drawer, inspected: dict[str, Figure]
) -> None:
    assert [*inspected][-4:] == NAMES
    assert not {*NAMES} & drawer.draw_inspection(None).keys()


def test_figures_keep_to_the_pages_colors_and_say_nothing_undefined(
    inspected: dict[str, Figure],
) -> None:
    for figure in inspected.values():
        svg = re.sub(r'href="data:image/png;base64,[^"]*"', "", figure.svg)
        assert set(re.findall(r"#[0-9a-fA-F]{6}\b", svg)) <= CSS_VARIABLES.keys()
        assert "#" not in re.sub(r'var\(--[\w-]+, #[0-9a-f]{6}\)|"#|\(#', "", svg)
        said = " ".join([*read_texts(figure), figure.caption, figure.alt])
        assert not re.search(r"\b(nan|inf|None)\b", said)
        assert all(row.keys() <= figure.rows[0].keys() for row in figure.rows)
