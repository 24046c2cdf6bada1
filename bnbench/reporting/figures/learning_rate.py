"""Validation accuracy by learning rate: which rates work, which is best, where trials diverge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bnbench.reporting.figures.canvas import (
    EDGE,
    SMALL_FONT_SIZE,
    Panel,
    make_panels,
    measure_text,
    write_heading,
)
from bnbench.reporting.figures.output import make_figure
from bnbench.reporting.figures.palette import style_series
from bnbench.reporting.figures.rate_panel import draw_sensitivities
from bnbench.reporting.figures.rate_strip import ROW_HEIGHT, draw_strip, write_row_label
from bnbench.reporting.figures.wording import (
    join_parts,
    write_count,
    write_estimate,
    write_rate,
)

if TYPE_CHECKING:
    from bnbench.records import TrialRecord
    from bnbench.reporting.figures.figure import Cell, Figure
    from bnbench.reporting.sections.rates import SensitivitySummary
    from bnbench.reporting.summary import RunSummary
    from bnbench.reporting.trials import RunTrials
    from bnbench.stats import RateSummary

TITLE = "Validation accuracy by learning rate"
COLUMNS = (
    "device",
    "variant",
    "series",
    "learning_rate",
    "seed",
    "validation_accuracy",
    "low",
    "high",
    "num_trials",
    "num_diverged",
    "works",
    "is_best",
)


def draw_learning_rate(summary: RunSummary, trials: RunTrials) -> Figure | None:
    """Draw accuracy by learning rate, a panel a device; None where no tuning is complete."""
    shown = summary.rates
    devices = [d for d in summary.study.devices if any(s.device == d for s in shown)]
    if not devices:
        return None
    styles = style_series(tuple(variant.name for variant in summary.study.variants))
    tuning = [record for record in trials.records if record.trial.purpose == "tune"]
    right = max(measure_text(write_row_label(s), SMALL_FONT_SIZE) for s in shown) + 0.1 + EDGE
    of_devices = [[s for s in shown if s.device == device] for device in devices]
    layout = [
        panel
        for of_device in of_devices
        for panel in (Panel(ROW_HEIGHT * len(of_device), below=0.0), Panel(2.6))
    ]
    drawing, panels = make_panels(TITLE, layout, 0.5, right)
    for index, of_device in enumerate(of_devices):
        strip, axes = panels[2 * index : 2 * index + 2]
        draw_sensitivities(axes, of_device, tuning, styles)
        draw_strip(strip, of_device, styles)
        strip.set_xlim(axes.get_xlim())
        where = f"{of_device[0].device}: " if len(devices) > 1 else ""
        points = 100 * of_device[0].result.tolerance
        write_heading(strip, f"{where}rates within {points:g} points of the best")
        write_heading(axes, f"{where}validation accuracy, %")
    return make_figure(
        drawing,
        "learning_rate",
        TITLE,
        _write_caption(shown),
        _write_alt(summary, shown),
        COLUMNS,
        _list_rows(shown, tuning),
    )


def _write_caption(shown: Sequence[SensitivitySummary]) -> str:
    rates = [rate for sensitivity in shown for rate in sensitivity.result.rates]
    parts = ["lines join the means over trials"]
    if any(rate.accuracy.has_interval for rate in rates):
        confidence = 100 * rates[0].accuracy.confidence
        parts.append(f"vertical bars are the means' {confidence:g} % intervals")
    parts.append("each dot is one trial; a ring marks the best rate")
    if any(rate.num_diverged for rate in rates):
        parts.append("a cross is a trial that failed, which counts as chance")
    text = join_parts(parts)
    return f"{text[0].upper()}{text[1:]}. Accuracy is on the validation images."


def _write_alt(summary: RunSummary, shown: Sequence[SensitivitySummary]) -> str:
    parts = []
    for sensitivity in shown:
        where = f" on {sensitivity.device}" if len(summary.study.devices) > 1 else ""
        parts.append(f"{sensitivity.variant}{where} {_describe_sensitivity(sensitivity)}")
    return f"Mean validation accuracy by learning rate: {join_parts(parts)}."


def _describe_sensitivity(sensitivity: SensitivitySummary) -> str:
    result = sensitivity.result
    rates = f"{write_rate(result.rates[0].learning_rate)} to "
    rates += write_rate(result.rates[-1].learning_rate)
    if result.best_rate is None or result.band is None:
        return f"learns at no rate from {rates}"
    best = next(rate for rate in result.rates if rate.learning_rate == result.best_rate)
    band = result.band
    text = f"is best at {write_rate(result.best_rate)} with {write_estimate(best.accuracy)}, "
    if band.num_rates == 1:
        text += f"no other rate of the grid within {100 * result.tolerance:g} points"
    else:
        text += (
            f"stays within {100 * result.tolerance:g} points of that from "
            f"{write_rate(band.low_rate)} to {write_rate(band.high_rate)}"
        )
    if result.all_diverge_rate is not None:
        text += f", and diverges in every trial at {write_rate(result.all_diverge_rate)}"
    elif result.half_diverge_rate is not None:
        text += f", and diverges in half of the trials at {write_rate(result.half_diverge_rate)}"
    return f"{text}, over {write_count(best.num_trials, 'trial')} a rate"


def _list_rows(
    shown: Sequence[SensitivitySummary], trials: Sequence[TrialRecord]
) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for sensitivity in shown:
        key = (sensitivity.device, sensitivity.variant)
        best = sensitivity.result.best_rate
        rows.extend(_make_mean_row(key, rate, best) for rate in sensitivity.result.rates)
        rows.extend(
            (
                *key,
                "trial",
                record.trial.recipe.learning_rate,
                record.trial.seed,
                record.epochs[-1].test_accuracy if record.status == "finished" else None,
                *(None,) * 6,
            )
            for record in trials
            if (record.trial.device, record.trial.variant.name) == key
        )
    return rows


def _make_mean_row(key: tuple[str, str], rate: RateSummary, best: float | None) -> tuple[Cell, ...]:
    return (
        *key,
        "mean",
        rate.learning_rate,
        None,
        rate.accuracy.value,
        rate.accuracy.low,
        rate.accuracy.high,
        rate.num_trials,
        rate.num_diverged,
        rate.works,
        rate.learning_rate == best,
    )
