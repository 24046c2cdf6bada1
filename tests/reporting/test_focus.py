from dataclasses import replace
from pathlib import Path

import pytest

from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.reporting.figures import draw_figures
from bnbench.reporting.focus import MOST_VARIANTS, choose_variants, focus
from bnbench.reporting.report import compose_report
from bnbench.specs import VariantSpec
from tests.conftest import make_epochs
from tests.reporting.figures.conftest import STUDY, Drawer

MANY = tuple(VariantSpec(f"v{number}") for number in range(MOST_VARIANTS + 2))


@pytest.fixture
def drawer(tmp_path: Path, environment: EnvironmentRecord) -> Drawer:
    return Drawer(tmp_path, environment)


def rank_by_name(record: TrialRecord) -> TrialRecord:
    """The higher its number, the better a variant."""
    number, noise = int(record.trial.variant.name[1:]), 0.0001 * (record.trial.seed % 3)
    return replace(record, epochs=make_epochs([0.1, 0.2, 0.5 + 0.02 * number + noise]))


def test_all_of_a_few_variants_are_shown(drawer: Drawer) -> None:
    summary, trials = drawer.summarize(replace(STUDY, variants=MANY[:MOST_VARIANTS]), rank_by_name)
    assert choose_variants(summary) == tuple(v.name for v in MANY[:MOST_VARIANTS])
    assert focus(summary, trials) == (summary, trials)


def test_of_many_variants_the_first_and_the_best_three_are_shown(drawer: Drawer) -> None:
    summary, trials = drawer.summarize(replace(STUDY, variants=MANY), rank_by_name)
    assert choose_variants(summary) == ("v0", "v5", "v6", "v7")
    shown, of_shown = focus(summary, trials)
    assert {record.trial.variant.name for record in of_shown.records} == {"v0", "v5", "v6", "v7"}
    assert [each.variant for each in shown.losses] == ["v0", "v5", "v6", "v7"]
    assert [each.candidate for each in shown.accuracy.contrasts] == ["v5", "v6", "v7"]
    kept = [each for each in summary.accuracy.contrasts if each.candidate == "v6"]
    assert kept == [each for each in shown.accuracy.contrasts if each.candidate == "v6"]


def test_tables_and_the_figure_of_effects_have_every_variant(drawer: Drawer) -> None:
    summary, trials = drawer.summarize(replace(STUDY, variants=MANY), rank_by_name)
    content = compose_report(summary, focus(summary, trials)[0])
    assert content.title.startswith("8 variants on")
    assert content.ranking is not None
    assert len(content.ranking.rows) == len(MANY)
    effects, accuracy = content.sections[:2]
    assert "show v0, v5, v6 and v7." in effects.paragraphs[0]
    assert accuracy.table is not None
    assert len(accuracy.table.rows) == len(MANY)
    assert len(accuracy.paragraphs) == 3
    figures = draw_figures(summary, trials)
    assert len(figures["effects"].rows) == len(MANY) - 1
    assert {row["variant"] for row in figures["accuracy"].rows} == {"v0", "v5", "v6", "v7"}
