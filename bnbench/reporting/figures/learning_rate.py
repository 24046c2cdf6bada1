"""Validation accuracy by learning rate: which rates work, which is best, where trials diverge."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bnbench.reporting.figures.canvas import (
    SMALL_FONT_SIZE,
    Panel,
    make_panels,
    measure_labels,
    write_heading,
)
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import style_series
from bnbench.reporting.figures.rate_panel import (
    ROW_HEIGHT,
    draw_chance,
    draw_sensitivities,
    draw_strip,
    write_row_label,
)
from bnbench.reporting.sections.rates import SensitivitySummary
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials

TITLE = "Validation accuracy by learning rate"


def draw_learning_rate(summary: RunSummary, trials: RunTrials) -> Figure | None:
    """Draw a strip and a panel per device; None where no tuning is complete."""
    if not summary.rates:
        return None
    styles = style_series(summary.study.variants)
    groups = [list(group) for _, group in groupby(summary.rates, lambda s: s.device)]
    labels = {group[0].device: [write_row_label(s) for s in group] for group in groups}
    layout = [
        panel
        for group in groups
        for panel in (Panel(ROW_HEIGHT * len(group), below=0.0), Panel(2.6))
    ]
    drawing, panels = make_panels(TITLE, layout, measure_labels(labels, SMALL_FONT_SIZE) + 0.04)
    for strip, axes, group in zip(panels[::2], panels[1::2], groups, strict=True):
        looks = [styles[each.variant] for each in group]
        tried = [trials.select("tune", each.variant, each.device) for each in group]
        draw_chance(axes, group[0].result.chance)
        draw_sensitivities(axes, group, tried, looks)
        draw_strip(strip, group, labels[group[0].device], looks)
        strip.set_xlim(axes.get_xlim())
        where = f"{group[0].device}: " if len(groups) > 1 else ""
        points = 100 * group[0].result.tolerance
        write_heading(strip, f"{where}rates within {points:g} points of the best")
        write_heading(axes, f"{where}validation accuracy, %")
    caption, rows = _write_caption(summary.rates), _list_rows(summary.rates, trials)
    return make_figure(drawing, "learning_rate", caption, labels, rows)


def _write_caption(shown: Sequence[SensitivitySummary]) -> str:
    rates = [rate for sensitivity in shown for rate in sensitivity.result.rates]
    parts = ["Lines join the means over trials"]
    if any(rate.accuracy.has_interval for rate in rates):
        confidence = 100 * rates[0].accuracy.confidence
        parts.append(f"vertical bars are the means' {confidence:g} % intervals")
    parts.append("each dot is one trial; a ring marks the best rate")
    if any(rate.num_diverged for rate in rates):
        parts.append("a cross is a trial that failed, which counts as chance")
    return f"{'; '.join(parts)}. Accuracy is on the validation images."


def _list_rows(shown: Sequence[SensitivitySummary], trials: RunTrials) -> list[Row]:
    rows: list[Row] = []
    for sensitivity in shown:
        key = {"device": sensitivity.device, "variant": sensitivity.variant}
        rows.extend(
            {
                **key,
                "series": "mean",
                "learning_rate": rate.learning_rate,
                "seed": None,
                "validation_accuracy": rate.accuracy.value,
                "low": rate.accuracy.low,
                "high": rate.accuracy.high,
                "num_trials": rate.num_trials,
                "num_diverged": rate.num_diverged,
                "works": rate.works,
                "is_best": rate.learning_rate == sensitivity.result.best_rate,
            }
            for rate in sensitivity.result.rates
        )
        rows.extend(
            {
                **key,
                "series": "trial",
                "learning_rate": record.trial.recipe.learning_rate,
                "seed": record.trial.seed,
                "validation_accuracy": record.epochs[-1].test_accuracy
                if record.status == "finished"
                else None,
            }
            for record in trials.select("tune", sensitivity.variant, sensitivity.device)
        )
    return rows
