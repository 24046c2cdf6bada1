from dataclasses import replace

from bnbench.records import TrialRecord
from bnbench.reporting.figures.output import Figure, use_settings
from bnbench.reporting.figures.schedules import draw_schedules
from bnbench.reporting.sections.schedules import compose_schedules, summarize_schedules
from bnbench.reporting.trials import RunTrials
from bnbench.specs import StudySpec
from tests.conftest import REFERENCE, SYNTHETIC, make_epochs
from tests.reporting.figures.conftest import TUNED, read_texts


def tune(study: StudySpec, best: float) -> RunTrials:
    """Tuning trials at 90 percent at the best rate and at 60 elsewhere."""
    records = [
        TrialRecord(
            trial,
            "finished",
            make_epochs([0.5, 0.5, 0.9 if trial.recipe.learning_rate == best else 0.6]),
        )
        for trial in study.list_tuning_trials(REFERENCE)
    ]
    return RunTrials(study, SYNTHETIC, tuple(records))


LINEAR = replace(TUNED, recipe=replace(TUNED.recipe, schedule="linear"))


def draw() -> Figure:
    with use_settings():
        figure = draw_schedules(summarize_schedules([tune(TUNED, 0.01), tune(LINEAR, 0.1)]))
    assert figure is not None
    return figure


def test_the_figure_shows_both_networks_with_both_schedules() -> None:
    figure = draw()
    texts = read_texts(figure)
    assert {
        "baseline, constant",
        "baseline, linear",
        "batchnorm, constant",
        "batchnorm, linear",
    } <= set(texts)
    assert texts.count("best 0.01") == texts.count("best 0.1") == 2
    best = [(row["schedule"], row["learning_rate"]) for row in figure.rows if row["is_best"]]
    assert best == [("constant", 0.01), ("linear", 0.1)] * 2


def test_the_section_names_the_better_schedule() -> None:
    section = compose_schedules(
        summarize_schedules([tune(TUNED, best=0.0), tune(LINEAR, best=0.1)])
    )
    assert section is not None
    assert section.paragraphs[0].startswith(
        "The baseline reaches 90.00 % with the linear schedule and 60.00 % with the constant one."
    )
    assert compose_schedules(()) is None


def test_nothing_is_drawn_where_nothing_was_tuned() -> None:
    assert draw_schedules(()) is None
