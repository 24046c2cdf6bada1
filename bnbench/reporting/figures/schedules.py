"""Validation accuracy by learning rate of two networks, each with several schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.axes import Axes

from bnbench.reporting.figures.canvas import (
    SMALL_FONT_SIZE,
    Panel,
    make_panels,
    measure_labels,
    write_heading,
)
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import SERIES, Dashes, SeriesStyle
from bnbench.reporting.figures.rate_panel import (
    ROW_HEIGHT,
    draw_chance,
    draw_sensitivities,
    draw_strip,
)
from bnbench.reporting.sections.schedules import TITLE, ScheduleSummary
from bnbench.reporting.wording import shorten_name

LOOKS: tuple[tuple[Dashes, tuple[str, ...]], ...] = (
    ((0, (1.2, 1.2)), ("s", "o")),
    ((0, ()), ("D", "^")),
    ((0, (4, 1.2)), ("v", "P")),
    ((0, (5, 1, 1, 1)), ("<", ">")),
)
"""Line style of each schedule, and its markers for both networks."""
LONGEST_NAME = 11
"""Characters of a network's name, beside which its schedule is written."""
MARGIN = 1.0
"""Points of accuracy below the best rates in the panel that enlarges them."""
MOST_POINTS = 8.0
"""Most points of accuracy from the best of all to the foot of that panel."""


def draw_schedules(summaries: Sequence[ScheduleSummary]) -> Figure | None:
    """Draw the rates that work, all accuracies, and those near the best; None without tuning."""
    if not summaries:
        return None
    shown, styles = [each.sensitivity for each in summaries], _style(summaries)
    labels = [_write_label(each) for each in summaries]
    drawing, (strip, whole, close) = make_panels(
        TITLE,
        [Panel(ROW_HEIGHT * len(shown), below=0.0), Panel(2.2), Panel(2.2)],
        measure_labels({"": labels}, SMALL_FONT_SIZE) + 0.04,
    )
    draw_sensitivities(whole, shown, [each.tried for each in summaries], styles)
    draw_sensitivities(close, shown, [()] * len(shown), styles)
    draw_chance(whole, shown[0].result.chance)
    _enlarge_top(close, summaries)
    draw_strip(strip, shown, labels, styles)
    strip.set_xlim(whole.get_xlim())
    write_heading(strip, f"rates within {100 * shown[0].result.tolerance:g} points of the best")
    write_heading(whole, "validation accuracy, %")
    write_heading(close, "the same near the best, %")
    caption = (
        "Lines join the means over trials; dots are trials; vertical bars are the means' 95 % "
        "intervals; a ring marks each best rate. The lowest panel enlarges the top of the one "
        "above, without the trials. Accuracy is on the validation images."
    )
    return make_figure(drawing, "schedules", caption, {"": labels}, _list_rows(summaries))


def _enlarge_top(axes: Axes, summaries: Sequence[ScheduleSummary]) -> None:
    """Limit the y axis to the best rates of all, if they are not too far apart."""
    bests = [100 * (each.best.accuracy.value or 0.0) for each in summaries if each.best]
    top = max(bests, default=100.0)
    axes.set_ylim(max(min(bests, default=top) - MARGIN, top - MOST_POINTS), top + MARGIN / 2)


def _style(summaries: Sequence[ScheduleSummary]) -> list[SeriesStyle]:
    """A color per network, a line style per schedule, and a marker for each pair."""
    variants = list(dict.fromkeys(each.sensitivity.variant for each in summaries))
    schedules = list(dict.fromkeys(each.schedule for each in summaries))
    styles = []
    for each in summaries:
        network = variants.index(each.sensitivity.variant)
        dashes, markers = LOOKS[schedules.index(each.schedule) % len(LOOKS)]
        styles.append(replace(SERIES[network], dashes=dashes, marker=markers[network]))
    return styles


def _write_label(summary: ScheduleSummary) -> str:
    best = "" if summary.best is None else f"\nbest {summary.best.learning_rate:.3g}"
    return f"{shorten_name(summary.sensitivity.variant, LONGEST_NAME)}, {summary.schedule}{best}"


def _list_rows(summaries: Sequence[ScheduleSummary]) -> list[Row]:
    return [
        {
            "variant": each.sensitivity.variant,
            "schedule": each.schedule,
            "learning_rate": rate.learning_rate,
            "validation_accuracy": rate.accuracy.value,
            "low": rate.accuracy.low,
            "high": rate.accuracy.high,
            "num_trials": rate.num_trials,
            "num_diverged": rate.num_diverged,
            "works": rate.works,
            "is_best": rate.learning_rate == each.sensitivity.result.best_rate,
        }
        for each in summaries
        for rate in each.sensitivity.result.rates
    ]
