"""Series of tiny runs with invented accuracies."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.errors import RunError
from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.reporting.series import write_series_report
from bnbench.specs import TrialSpec, TuningSpec, VariantSpec
from bnbench.store import RunStore
from tests.reporting.conftest import MakeRun

TUNING = TuningSpec((0.01, 0.1, 1.0), seeds=(100, 101, 102, 103, 104))
RATES = {("baseline", "cpu"): 0.1, ("batchnorm", "cpu"): 0.1}
BASELINE = VariantSpec("baseline", (8,))
BATCHNORM = VariantSpec("batchnorm", (8,), "batch")
PRECISE = VariantSpec(
    "batchnorm", (8,), "batch", recipe=RecipeChange(evaluation_statistics="precise")
)
TWELVE = tuple(range(12))


def reach(trial: TrialSpec) -> list[float] | None:
    """The baseline alternates by 0.1 points from seed to seed; its rate and schedule matter."""
    if trial.variant.name == "batchnorm":
        return [0.7, 0.85]
    last = 0.80 if trial.recipe.learning_rate == 0.1 else 0.60
    last += 0.02 if trial.recipe.schedule == "linear" else 0.0
    return [0.5, last + 0.001 * (trial.seed % 2)]


@pytest.fixture
def make_member(make_run: MakeRun, tmp_path: Path) -> Callable[..., RunStore]:
    def make(name: str, **changes: Any) -> RunStore:
        options: dict[str, Any] = {"variants": (BASELINE, BATCHNORM), "seeds": TWELVE, **changes}
        if "tuning" in options:
            options["rates"] = RATES
        store = make_run(reach, **options)
        (tmp_path / "fair").mkdir(exist_ok=True)
        return RunStore.open(store.folder.rename(tmp_path / "fair" / name))

    return make


@pytest.fixture
def series(make_member: Callable[..., RunStore], tmp_path: Path) -> Path:
    """A notebook, a constant, a linear and a precise member, and one that is missing."""
    make_member("notebook", recipe=RecipeSpec(epochs=2))
    make_member("constant", recipe=RecipeSpec(epochs=2), tuning=TUNING)
    linear = RecipeSpec(epochs=2, schedule="linear")
    make_member("linear", recipe=linear, tuning=TUNING)
    make_member("precise", recipe=linear, tuning=TUNING, variants=(BASELINE, PRECISE))
    write_list(tmp_path / "fair", ["notebook", "constant", "linear", "precise", "precise-20"])
    return tmp_path / "fair"


def write_list(folder: Path, runs: list[str]) -> None:
    content = {"format_version": 1, "name": "fair", "runs": runs}
    (folder / "series.json").write_text(json.dumps(content))


def test_the_page_of_a_series_has_a_row_per_member(series: Path) -> None:
    text = write_series_report(series)
    summary = json.loads((series / "summary.json").read_text())
    assert summary["format_version"] == 1
    assert [row["recipe"] for row in summary["answer"]] == [
        "notebook",
        "constant",
        "linear",
        "linear precise",
    ]
    assert summary["left_out"] == ["precise-20 (not run yet)"]
    notebook, constant, linear, _ = summary["answer"]
    # Learning rate 0.001: 60 % and, at six of twelve seeds, 60.1 %; then 80.05 % and 82.05 %.
    assert (notebook["baseline"], notebook["candidate"]) == pytest.approx((0.6005, 0.85))
    assert notebook["difference"] == pytest.approx(0.2495)
    assert constant["difference"] == pytest.approx(0.0495)
    assert linear["difference"] == pytest.approx(0.0295)
    assert linear["low"] < linear["difference"] < linear["high"]
    assert list(linear) == [
        "recipe",
        "epochs",
        "baseline",
        "candidate",
        "difference",
        "low",
        "high",
        "win_probability",
        "verdict",
    ]
    assert (linear["epochs"], linear["win_probability"], linear["verdict"]) == (2, 1.0, "better")
    assert summary["headline"] in " ".join(text.split())
    assert summary["headline"].startswith("So far, batch normalization leads with every recipe")


def test_intervals_hold_for_all_planned_rows_at_once(series: Path) -> None:
    write_series_report(series)
    summary = json.loads((series / "summary.json").read_text())
    # Five members are planned, four have a row.
    for contrast in (row["contrast"] for row in summary["rows"]):
        assert contrast["decision"]["probability"]["confidence"] == pytest.approx(0.99)
        assert contrast["differences"][-1]["confidence"] == pytest.approx(0.99)


def test_the_page_links_each_row_to_its_report_and_says_the_spread(series: Path) -> None:
    write_series_report(series)
    html, markdown = ((series / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert '<a href="constant/report.html">best constant rate, 2 epochs</a>' in html
    assert "[best rate falling to zero, 2 epochs](linear/report.html)" in markdown
    # Six seeds at 0 and six at 0.1 points: 0.05 * sqrt(12 / 11) points.
    assert "falls to zero, the spread over seeds is at most 0.05 points" in markdown
    assert "Left out: precise-20 (not run yet)." in markdown


def test_the_figures_show_the_search_and_both_schedules(series: Path) -> None:
    write_series_report(series)
    search = json.loads((series / "summary.json").read_text())["search"]
    # Three rates with two schedules, without the precise member.
    assert (search["num_rates"], search["num_seeds"]) == (3, 5)
    assert [budget["num_trials"] for budget in search["budgets"]] == [1, 2, 3, 4, 5, 6]
    # 80, 60, 60 and, with the linear schedule, 82, 62 and 62 percent; two of five seeds add 0.1
    # points. The mean is 67.67 + 0.04 percent, the best of all 82.04.
    values = [budget["baseline"]["value"] for budget in search["budgets"]]
    assert (values[0], values[-1]) == pytest.approx((2 / 3 + 0.01 + 0.0004, 0.8204))
    assert search["budgets"][2]["candidate"]["value"] == pytest.approx(0.85)
    schedules = (series / "schedules.csv").read_text().splitlines()
    assert sum("True" in line and ",0.1," in line for line in schedules) == 4
    for name in ("budget", "schedules"):
        assert (series / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f'id="{name}-' in (series / "report.html").read_text()


@pytest.mark.slow
def test_the_same_members_give_the_same_bytes(series: Path) -> None:
    write_series_report(series)
    first = {path.name: path.read_bytes() for path in series.iterdir() if path.is_file()}
    write_series_report(series)
    assert {p.name: p.read_bytes() for p in series.iterdir() if p.is_file()} == first


def test_an_unfinished_member_is_left_out_and_named(
    make_member: Callable[..., RunStore], tmp_path: Path
) -> None:
    recipe = RecipeSpec(epochs=2)
    make_member("notebook", recipe=recipe)
    make_member("half", recipe=recipe, only=lambda trial: trial.seed < 6)
    write_list(tmp_path / "fair", ["notebook", "half"])
    assert "Left out: half (12 trials missing)." in write_series_report(tmp_path / "fair")
    write_list(tmp_path / "fair", ["half"])
    with pytest.raises(RunError, match=r"expected a finished member, got none: half \(12 trials"):
        write_series_report(tmp_path / "fair")


def test_two_seeds_leave_the_verdict_open(
    make_member: Callable[..., RunStore], tmp_path: Path
) -> None:
    make_member("notebook", recipe=RecipeSpec(epochs=2), seeds=(0, 1))
    write_list(tmp_path / "fair", ["notebook"])
    text = " ".join(write_series_report(tmp_path / "fair").split())
    assert "Whether batch normalization leads at the notebook's rate is open: 85.0 % right" in text
    assert "train more seeds of both networks: 27 for the notebook's rate, 2 epochs." in text
    assert not (tmp_path / "fair" / "budget.png").exists()


def test_members_with_other_variants_are_refused(
    make_member: Callable[..., RunStore], tmp_path: Path
) -> None:
    make_member("notebook", recipe=RecipeSpec(epochs=2))
    make_member("other", variants=(BATCHNORM, BASELINE), recipe=RecipeSpec(epochs=2))
    make_member("alone", variants=(BATCHNORM,), recipe=RecipeSpec(epochs=2))
    write_list(tmp_path / "fair", ["notebook", "other"])
    with pytest.raises(RunError, match="expected baseline and batchnorm on synthetic as in"):
        write_series_report(tmp_path / "fair")
    write_list(tmp_path / "fair", ["alone"])
    with pytest.raises(RunError, match="expected two variants to compare, got batchnorm"):
        write_series_report(tmp_path / "fair")


def test_a_network_that_no_rate_trains_has_no_numbers(make_run: MakeRun, tmp_path: Path) -> None:
    store = make_run(
        lambda trial: None if trial.variant.name == "baseline" else [0.7, 0.85],
        variants=(BASELINE, BATCHNORM),
        recipe=RecipeSpec(epochs=2),
        tuning=TUNING,
        rates={("batchnorm", "cpu"): 0.1},
    )
    (tmp_path / "fair").mkdir()
    store.folder.rename(tmp_path / "fair" / "constant")
    write_list(tmp_path / "fair", ["constant"])
    text = " ".join(write_series_report(tmp_path / "fair").split())
    assert "Nothing is compared at the best constant rate: the networks share no scored" in text
    (row,) = json.loads((tmp_path / "fair" / "summary.json").read_text())["answer"]
    assert row["candidate"] == 0.85
    assert {row[name] for name in ("baseline", "difference", "low", "verdict")} == {None}
