"""The deviation of each variant's accuracy over seeds, beside what other test images would do."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

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
from bnbench.reporting.figures.palette import GRID, INK, MUTED, SERIES
from bnbench.reporting.sections.spread import TITLE, SpreadSummary
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import shorten_name

ROW_HEIGHT = 0.3
"""Inches of a variant's row."""


def draw_spread(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw one panel per device; None where the section is missing."""
    by_device: dict[str, list[SpreadSummary]] = {}
    for each in summary.spread:
        if each.deviation.value:  # none has no place on a logarithmic axis
            by_device.setdefault(each.device, []).append(each)
    if not by_device:
        return None
    names = {d: [shorten_name(each.variant) for each in s] for d, s in by_device.items()}
    shares = {d: [_write_share(each) for each in s] for d, s in by_device.items()}
    has_shares = any(text for texts in shares.values() for text in texts)
    right = measure_labels(shares, SMALL_FONT_SIZE) + 0.1 if has_shares else 2 * EDGE
    drawing, panels = make_panels(
        TITLE,
        [Panel(ROW_HEIGHT * len(shown)) for shown in by_device.values()],
        right=max(right, 0.9) if has_shares else right,
        left=measure_labels(names),
    )
    for axes, (device, shown) in zip(panels, by_device.items(), strict=True):
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        axes.set_xscale("log")
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_yticks(range(len(shown)), names[device])
        axes.tick_params(axis="y", labelcolor=INK)
        for row, (each, share) in enumerate(zip(shown, shares[device], strict=True)):
            _draw_row(axes, row, each)
            write_at(axes, share, 1, row, MUTED, SMALL_FONT_SIZE, offset=(6, 0), ha="left")
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=8))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda points, _: f"{points:g}"))
        if has_shares:
            write_at(
                axes, "variance", 1, 1, INK, offset=(6, 12), xycoords="axes fraction", va="baseline"
            )
        write_heading(axes, f"variant on {device}" if len(by_device) > 1 else "variant")
        write_x_label(axes, "standard deviation of test accuracy, points")
    caption = (
        "Each dot is the deviation over seeds, each line its 95 % interval. A gray bar is what "
        "other test images would do to one network; all networks share them."
    )
    if has_shares:
        caption += " The variance is that of the row against that of all sources together."
    rows = [_list_row(each) for shown in by_device.values() for each in shown]
    labels = {
        device: [f"{each.variant} {100 * (each.deviation.value or 0):.2f}" for each in shown]
        for device, shown in by_device.items()
    }
    return make_figure(drawing, "spread", caption, labels, rows)


def _draw_row(axes: Axes, row: int, spread: SpreadSummary) -> None:
    """Draw a deviation with its interval, and a bar at that of the test images."""
    deviation, color = spread.deviation, SERIES[1].color
    assert deviation.value is not None
    if deviation.low is not None and deviation.high is not None:
        axes.plot([100 * deviation.low, 100 * deviation.high], [row, row], color=color, lw=1.8)
    if spread.sampling_deviation:
        draw_marks(
            axes, [(100 * spread.sampling_deviation, row)], "|", 13, MUTED, 3, markeredgewidth=2
        )
    draw_marks(axes, [(100 * deviation.value, row)], "o", 6, color, 4)


def _write_share(spread: SpreadSummary) -> str:
    ratio = None if spread.share is None else spread.share.variance_ratio.value
    return "" if ratio is None else f"× {ratio:.2f}"


def _list_row(spread: SpreadSummary) -> Row:
    share = spread.share
    return {
        "device": spread.device,
        "variant": spread.variant,
        "deviation": spread.deviation.value,
        "low": spread.deviation.low,
        "high": spread.deviation.high,
        "num_seeds": spread.deviation.count,
        "sampling_deviation": spread.sampling_deviation,
        "whole": None if share is None else share.whole,
        "source": None if share is None else share.source,
        "variance_ratio": None if share is None else share.variance_ratio.value,
        "ratio_low": None if share is None else share.variance_ratio.low,
        "ratio_high": None if share is None else share.variance_ratio.high,
    }
