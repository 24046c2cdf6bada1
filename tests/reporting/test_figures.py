import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import pytest

from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.reporting.figures import Figure, draw_figures
from bnbench.reporting.figures.canvas import spread_labels
from bnbench.reporting.figures.palette import CSS_VARIABLES, PAPER, SERIES
from bnbench.reporting.figures.wording import shorten_name, write_seconds
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.specs import EngineName, RecipeSpec, StudySpec, TrialSpec, TuningSpec
from bnbench.store import RunStore
from tests.conftest import BASELINE, BATCHNORM, SYNTHETIC, make_epochs
from tests.reporting.conftest import read_trials, summarize

RATES = (0.01, 0.1, 1.0)
TUNING = TuningSpec(RATES, seeds=(100, 101))
STUDY = StudySpec("small", (BASELINE, BATCHNORM), RecipeSpec(epochs=3), seeds=tuple(range(8)))
TUNED = replace(STUDY, tuning=TUNING)

Change = Callable[[TrialRecord], TrialRecord]


@dataclass
class Drawer:
    """Makes a run of fake trials in a folder, and draws it."""

    folder: Path
    environment: EnvironmentRecord

    def summarize(
        self,
        study: StudySpec,
        change: Change = lambda record: record,
        engine: EngineName = "reference",
        num_trials: int | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> tuple[RunSummary, RunTrials]:
        engines = dict.fromkeys(study.devices, engine)
        chosen = rates if rates is not None else {v.name: 0.1 for v in study.variants}
        trials = (
            *study.list_tuning_trials(engines),
            *study.list_scored_trials(
                engines, {(name, d): rate for name, rate in chosen.items() for d in study.devices}
            ),
            *study.list_timed_trials(engines),
        )
        folder = self.folder / f"run{len(list(self.folder.iterdir()))}"
        store = RunStore.create(folder, study, engines, SYNTHETIC, self.environment)
        with store.locked():
            for trial in trials[:num_trials]:
                store.append_trial(change(make_record(trial)))
        return summarize(store), read_trials(store)

    def draw(self, study: StudySpec, *arguments: object, **options: object) -> dict[str, Figure]:
        return draw_figures(*self.summarize(study, *arguments, **options))  # type: ignore[arg-type]


def make_record(trial: TrialSpec) -> TrialRecord:
    """Accuracy and time depend on variant, seed and epoch; a rate of 1 diverges."""
    is_better = trial.variant.normalization == "batch"
    start = 0.5 + 0.2 * is_better + 0.004 * (trial.seed % 100)
    epochs = make_epochs([start + 0.05 * epoch for epoch in range(trial.recipe.epochs)])
    epochs = tuple(
        replace(epoch, train_seconds=2.0 + 0.5 * is_better + 0.01 * ((trial.seed + i) % 5))
        for i, epoch in enumerate(epochs)
    )
    if trial.recipe.learning_rate >= 1:
        return TrialRecord(trial, "failed", (), "diverged: a test said so")
    return TrialRecord(trial, "finished", epochs)


def fail(variant: str, num_epochs: int = 0) -> Change:
    def change(record: TrialRecord) -> TrialRecord:
        if record.trial.variant.name != variant:
            return record
        return replace(record, status="failed", epochs=record.epochs[:num_epochs], reason="it did")

    return change


@pytest.fixture
def drawer(tmp_path: Path, environment: EnvironmentRecord) -> Drawer:
    return Drawer(tmp_path, environment)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figure]:
    environment = EnvironmentRecord("", 2, 2, None, {}, "", {}, None, "2026-01-01T00:00:00+00:00")
    return Drawer(tmp_path_factory.mktemp("tuned"), environment).draw(TUNED)


def read_svg(figure: Figure) -> ElementTree.Element:
    return ElementTree.fromstring(figure.svg)


def read_texts(figure: Figure) -> list[str]:
    texts = read_svg(figure).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()).replace("\xa0", " ") for text in texts]


def count_thin_lines(figure: Figure, color: str) -> int:
    return len(re.findall(rf"stroke: var\(--\S+ {color}\);[^\"]* stroke-width: 0.8;", figure.svg))


@pytest.mark.parametrize(
    ("study", "options", "names"),
    [
        (STUDY, {}, ["accuracy", "time_to_target", "epoch_time"]),
        (TUNED, {}, ["accuracy", "learning_rate", "time_to_target", "epoch_time"]),
        (
            replace(TUNED, devices=("cpu", "cuda:0")),
            {"engine": "native"},
            ["accuracy", "learning_rate", "time_to_target", "epoch_time"],
        ),
        (replace(STUDY, seeds=(0,)), {}, ["accuracy", "time_to_target", "epoch_time"]),
        (
            replace(STUDY, recipe=RecipeSpec(epochs=1)),
            {},
            ["accuracy", "time_to_target", "epoch_time"],
        ),
        (
            replace(STUDY, target_accuracy=0.99),
            {},
            ["accuracy", "time_to_target", "epoch_time"],
        ),
        (STUDY, {"change": fail("baseline")}, ["accuracy"]),
        (
            STUDY,
            {"change": fail("batchnorm", num_epochs=1)},
            ["accuracy", "time_to_target", "epoch_time"],
        ),
        (
            TUNED,
            {"change": fail("baseline"), "rates": {"batchnorm": 0.1}},
            ["accuracy", "learning_rate"],
        ),
        (STUDY, {"num_trials": 3}, ["accuracy", "time_to_target", "epoch_time"]),
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
        said = " ".join([*read_texts(figure), figure.title, figure.caption, figure.alt])
        assert not re.search(r"\b(nan|inf|None)\b", said)
        numbers = re.findall(r' (?:d|x|y|transform|viewBox)="([^"]*)"', figure.svg)
        assert not re.search("nan|inf|None", " ".join(numbers))
        assert figure.png.startswith(b"\x89PNG")
        assert {len(row) for row in figure.rows} == {len(figure.columns)}
        assert figure.alt.endswith(".")
        assert "\n" not in figure.title + figure.alt + figure.caption


def test_accuracy_shows_each_seed_and_says_each_variants_last_mean(
    tuned: dict[str, Figure],
) -> None:
    figure = tuned["accuracy"]
    for style in SERIES[:2]:
        assert count_thin_lines(figure, style.color) == 8
    # Means over seeds 0 to 7: 0.5 + 2 * 0.05 + 0.004 * 3.5, and 0.2 more.
    texts = read_texts(figure)
    assert {"baseline", "61.4 %", "batchnorm", "81.4 %", "epoch", "1", "2", "3"} <= set(texts)
    assert "test accuracy, %" in texts
    alt = figure.alt.replace("\xa0", " ")
    assert "baseline goes from 51.4 %" in alt
    assert "81.4 % (95 % interval" in alt
    assert "over 8 trials" in alt


def test_the_accuracy_data_hold_every_epoch_of_every_trial_and_the_means(
    tuned: dict[str, Figure],
) -> None:
    figure = tuned["accuracy"]
    rows = [dict(zip(figure.columns, row, strict=True)) for row in figure.rows]
    assert len([row for row in rows if row["series"] == "trial"]) == 2 * 8 * 3
    means = [row for row in rows if row["series"] == "mean"]
    assert [(row["variant"], row["epoch"]) for row in means] == [
        (variant, epoch) for variant in ("baseline", "batchnorm") for epoch in (1, 2, 3)
    ]
    assert means[2]["test_accuracy"] == pytest.approx(0.614)


def test_one_seed_has_a_line_and_no_interval(drawer: Drawer) -> None:
    figure = drawer.draw(replace(STUDY, seeds=(0,)))["accuracy"]
    assert "fill-opacity" not in figure.svg
    assert "single trial" in figure.caption
    assert "interval" not in figure.alt


def test_a_variant_that_never_finished_an_epoch_is_named_in_the_caption(drawer: Drawer) -> None:
    figure = drawer.draw(STUDY, fail("baseline"))["accuracy"]
    assert "No trial of baseline finished an epoch." in figure.caption
    assert "baseline" not in read_texts(figure)


def test_a_mean_that_ends_early_says_where(drawer: Drawer) -> None:
    figure = drawer.draw(STUDY, fail("batchnorm", num_epochs=1))["accuracy"]
    assert "at epoch 1" in read_texts(figure)
    assert "8 of 8 trials of batchnorm failed" in figure.caption.replace("\xa0", " ")


def test_each_device_has_a_panel(drawer: Drawer) -> None:
    figures = drawer.draw(replace(TUNED, devices=("cpu", "cuda:0")))
    for name, text in (
        ("accuracy", "cuda:0: test accuracy, %"),
        ("learning_rate", "cuda:0: validation accuracy, %"),
        ("epoch_time", "reference engine on cuda:0"),
    ):
        assert text in read_texts(figures[name])
        assert text.replace("cuda:0", "cpu") in read_texts(figures[name])


def test_the_learning_rate_figure_says_which_rate_is_best_and_which_diverge(
    tuned: dict[str, Figure],
) -> None:
    figure = tuned["learning_rate"]
    texts = read_texts(figure)
    assert texts.count("best 0.01") == 2
    assert {"0.01", "0.1", "1", "chance", "rates within 2 points of the best"} <= set(texts)
    assert "diverges in every trial at 1" in figure.alt
    assert "a cross is a trial that failed" in figure.caption
    rows = [dict(zip(figure.columns, row, strict=True)) for row in figure.rows]
    assert len([row for row in rows if row["series"] == "trial"]) == 2 * len(RATES) * 2
    assert [row["works"] for row in rows if row["series"] == "mean"] == [True, True, False] * 2
    assert [row["num_diverged"] for row in rows if row["series"] == "mean"] == [0, 0, 2] * 2


def test_a_variant_that_no_rate_trains_is_shown_so(drawer: Drawer) -> None:
    figure = drawer.draw(TUNED, fail("baseline"), rates={"batchnorm": 0.1})["learning_rate"]
    assert "no rate of the grid trains it" in read_texts(figure)
    assert "baseline learns at no rate from 0.01 to 1" in figure.alt


def test_time_to_target_counts_arrivals_by_epoch(drawer: Drawer) -> None:
    # Seeds 4 to 7 of the baseline are at 0.615 or above after epoch 3, and none before.
    figure = drawer.draw(replace(STUDY, target_accuracy=0.615))["time_to_target"]
    rows = [dict(zip(figure.columns, row, strict=True)) for row in figure.rows]
    assert [row["num_arrived"] for row in rows] == [0, 0, 0, 4, 0, 8, 8, 8]
    assert [row["steps"] for row in rows[:4]] == [0, 6, 12, 18]  # 330 images in batches of 64
    assert {"4 of 8", "8 of 8", "epoch (6 steps each)"} <= set(read_texts(figure))
    assert "4 of 8 trials of baseline reach 61.5 %" in figure.alt.replace("\xa0", " ")


def test_a_target_nobody_reached_is_said(drawer: Drawer) -> None:
    figure = drawer.draw(replace(STUDY, target_accuracy=0.99))["time_to_target"]
    assert read_texts(figure).count("0 of 8") == 2
    assert figure.caption.startswith("No trial reached the target.")


def test_a_far_outlier_is_counted_beside_the_axis_and_kept_in_the_data(drawer: Drawer) -> None:
    def slow_down(record: TrialRecord) -> TrialRecord:
        if (record.trial.variant.name, record.trial.seed) != ("baseline", 3):
            return record
        slow = replace(record.epochs[1], train_seconds=30.0)
        return replace(record, epochs=(record.epochs[0], slow, record.epochs[2]))

    figure = drawer.draw(STUDY, slow_down)["epoch_time"]
    assert "1 beyond, up to 30.0 s →" in read_texts(figure)
    assert "30" not in read_texts(figure)  # no tick of the axis lies that far
    assert figure.rows.count(("cpu", "reference", "baseline", "slow epoch", 3, 2, 30.0)) == 1
    assert "1 epoch took much longer" in figure.caption.replace("\xa0", " ")


def test_each_engine_that_was_timed_has_a_panel_of_its_own(drawer: Drawer) -> None:
    figure = drawer.draw(STUDY, engine="native")["epoch_time"]
    assert {"reference engine on cpu", "native engine on cpu"} <= set(read_texts(figure))
    epochs = [row for row in figure.rows if row[3] == "epoch"]
    assert len(epochs) == 2 * 2 * STUDY.timing.num_pairs * STUDY.timing.epochs


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


def test_all_text_of_the_colours_can_be_read_on_white() -> None:
    for color, variable in CSS_VARIABLES.items():
        if variable not in ("grid", "paper"):
            assert contrast(color, PAPER) >= 4.5


def test_the_first_two_variants_differ_in_lightness() -> None:
    assert contrast(SERIES[0].color, SERIES[1].color) > 1.5


def contrast(color: str, other: str) -> float:
    """Contrast of two colors, 1 to 21, after WCAG 2.2."""
    low, high = sorted((find_luminance(color), find_luminance(other)))
    return (high + 0.05) / (low + 0.05)


def find_luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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


def test_a_long_name_is_cut_in_its_middle() -> None:
    assert shorten_name("batchnorm") == "batchnorm"
    assert shorten_name("a_network_of_many_layers_v2") == "a_networ…layers_v2"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.1, "4.10 s"), (0.0123456, "0.0123 s"), (123.4, "123 s"), (99999.0, "99999 s")],
)
def test_seconds_have_three_digits(seconds: float, text: str) -> None:
    assert write_seconds(seconds).replace("\xa0", " ") == text


def test_a_name_in_any_script_is_drawn_without_a_warning(drawer: Drawer) -> None:
    named = replace(BASELINE, name="基準")
    figures = drawer.draw(replace(STUDY, variants=(named, BATCHNORM)))
    assert "基準" in read_texts(figures["accuracy"])
