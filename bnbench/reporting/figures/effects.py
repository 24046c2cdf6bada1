"""Several variants against the first: each difference with its interval, the best on top."""

from __future__ import annotations

from collections.abc import Sequence

from bnbench.reporting.figures.canvas import write_x_label
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import MUTED, SERIES
from bnbench.reporting.figures.rows import draw_interval, make_row_panels
from bnbench.reporting.sections.accuracy import ContrastSummary
from bnbench.reporting.sections.epoch_time import find_plain_contrast
from bnbench.reporting.sections.spread import say_shares
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import shorten_name
from bnbench.stats import Outcome

TITLE = "Every variant against the first"
COLORS = {Outcome.BETTER: SERIES[1].color, Outcome.WORSE: SERIES[0].color}
"""Of the decided verdicts."""


def draw_effects(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw one panel per device; None for two variants or fewer, or if sources are varied."""
    if say_shares(summary.spread) is not None:
        return None  # a variant with a fixed seed is no technique
    by_device = {
        ranking.device: _sort(summary, ranking.device, ranking.variants)
        for ranking in summary.ranking
    }
    by_device = {device: shown for device, shown in by_device.items() if shown}
    if not by_device:
        return None
    names = {d: [shorten_name(each.candidate) for each in c] for d, c in by_device.items()}
    ratios = {d: [_write_ratio(summary, each) for each in c] for d, c in by_device.items()}
    drawing, panels = make_row_panels(TITLE, names, ratios, "time")
    for axes, shown in zip(panels, by_device.values(), strict=True):
        axes.axvline(0, color=MUTED, linewidth=1.2)
        for row, contrast in enumerate(shown):
            outcome = contrast.decision.outcome
            color, is_decided = COLORS.get(outcome, MUTED), outcome in COLORS
            draw_interval(axes, row, contrast.differences[-1], color, is_filled=is_decided)
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
