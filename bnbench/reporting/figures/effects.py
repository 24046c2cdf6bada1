"""Several variants against the first: each difference with its interval, the best on top."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from bnbench.reporting.figures.canvas import (
    EDGE,
    SMALL_FONT_SIZE,
    Panel,
    draw_marks,
    make_panels,
    measure_labels,
    write_at,
    write_heading,
    write_x_label,
)
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import GRID, INK, MUTED, PAPER, SERIES
from bnbench.reporting.sections.accuracy import ContrastSummary
from bnbench.reporting.sections.epoch_time import find_plain_contrast
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import shorten_name
from bnbench.stats import Outcome

TITLE = "Every variant against the first"
COLORS = {Outcome.BETTER: SERIES[1].color, Outcome.WORSE: SERIES[0].color}
"""Of the decided verdicts."""
ROW_HEIGHT = 0.3
"""Inches of a variant's row."""


def draw_effects(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw one panel per device; None for a study of two variants or fewer."""
    by_device = {
        ranking.device: _sort(summary, ranking.device, ranking.variants)
        for ranking in summary.ranking
    }
    by_device = {device: shown for device, shown in by_device.items() if shown}
    if not by_device:
        return None
    names = {d: [shorten_name(each.candidate) for each in c] for d, c in by_device.items()}
    ratios = {d: [_write_ratio(summary, each) for each in c] for d, c in by_device.items()}
    has_times = any(text for texts in ratios.values() for text in texts)
    right = measure_labels(ratios, SMALL_FONT_SIZE) + 0.1 if has_times else 2 * EDGE
    drawing, panels = make_panels(
        TITLE,
        [Panel(ROW_HEIGHT * len(shown)) for shown in by_device.values()],
        right=max(right, 0.75) if has_times else right,
        left=measure_labels(names),
    )
    for axes, (device, shown) in zip(panels, by_device.items(), strict=True):
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        axes.axvline(0, color=MUTED, linewidth=1.2)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_yticks(range(len(shown)), names[device])
        axes.tick_params(axis="y", labelcolor=INK)
        for row, contrast in enumerate(shown):
            _draw_row(axes, row, contrast)
            write_at(
                axes, ratios[device][row], 1, row, MUTED, SMALL_FONT_SIZE, offset=(6, 0), ha="left"
            )
        if has_times:
            write_at(
                axes, "time", 1, 1, INK, offset=(6, 12), xycoords="axes fraction", va="baseline"
            )
        where = f" on {device}" if len(by_device) > 1 else ""
        write_heading(axes, f"variant{where}")
        write_x_label(axes, f"test accuracy against {shown[0].baseline}, points")
    rows = [row for shown in by_device.values() for row in _list_rows(summary, shown)]
    caption = (
        "Each mark is a mean difference over seeds, each line its interval; all of them hold "
        "together. Filled marks are decided. The time is an epoch's, against the first variant's."
    )
    return make_figure(drawing, "effects", caption, names, rows)


def _sort(summary: RunSummary, device: str, order: Sequence[str]) -> list[ContrastSummary]:
    """The contrasts of a device that have a difference, by their candidate's rank."""
    found = [
        each
        for each in summary.accuracy.contrasts
        if each.device == device and each.differences[-1].value is not None
    ]
    return sorted(found, key=lambda contrast: order.index(contrast.candidate))


def _draw_row(axes: Axes, row: int, contrast: ContrastSummary) -> None:
    """Draw a difference: filled if the verdict is better or worse, hollow if it is open."""
    difference, outcome = contrast.differences[-1], contrast.decision.outcome
    assert difference.value is not None
    color = COLORS.get(outcome, MUTED)
    if difference.low is not None and difference.high is not None:
        axes.plot([100 * difference.low, 100 * difference.high], [row, row], color=color, lw=1.8)
    fill = color if outcome in COLORS else PAPER
    draw_marks(
        axes,
        [(100 * difference.value, row)],
        "o",
        6,
        color,
        4,
        markerfacecolor=fill,
        markeredgewidth=1.4,
    )


def _find_ratio(summary: RunSummary, contrast: ContrastSummary) -> float | None:
    time = find_plain_contrast(summary.epoch_time, contrast.candidate, contrast.device)
    return None if time is None else time.result.paired_ratio.value


def _write_ratio(summary: RunSummary, contrast: ContrastSummary) -> str:
    ratio = _find_ratio(summary, contrast)
    return "" if ratio is None else f"× {ratio:.2f}"


def _list_rows(summary: RunSummary, shown: Sequence[ContrastSummary]) -> list[Row]:
    return [
        {
            "device": each.device,
            "variant": each.candidate,
            "difference": each.differences[-1].value,
            "low": each.differences[-1].low,
            "high": each.differences[-1].high,
            "win_probability": each.decision.probability.value,
            "verdict": str(each.decision.outcome),
            "time_ratio": _find_ratio(summary, each),
        }
        for each in shown
    ]
