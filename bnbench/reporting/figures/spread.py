"""The deviation of each variant's accuracy over seeds, beside what other test images would do."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bnbench.reporting.figures.canvas import draw_marks, write_x_label
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import MUTED, SERIES
from bnbench.reporting.figures.rows import draw_interval, make_row_panels
from bnbench.reporting.sections.spread import TITLE, SpreadSummary
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import shorten_name


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
    drawing, panels = make_row_panels(TITLE, names, shares, "variance")
    for axes, shown in zip(panels, by_device.values(), strict=True):
        axes.set_xscale("log")
        for row, each in enumerate(shown):
            _draw_row(axes, row, each)
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=8))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda points, _: f"{points:g}"))
        write_x_label(axes, "standard deviation of test accuracy, points")
    caption = (
        "Each dot is the deviation over seeds, each line its 95 % interval. A gray bar is what "
        "other test images would do to one network; all networks share them."
    )
    if any(each.share for shown in by_device.values() for each in shown):
        caption += " The variance is that of the row against that of all sources together."
    rows = [_list_row(each) for shown in by_device.values() for each in shown]
    labels = {
        device: [f"{each.variant} {100 * (each.deviation.value or 0):.2f}" for each in shown]
        for device, shown in by_device.items()
    }
    return make_figure(drawing, "spread", caption, labels, rows)


def _draw_row(axes: Axes, row: int, spread: SpreadSummary) -> None:
    """Draw a deviation with its interval, and a bar at that of the test images."""
    if spread.sampling_deviation:
        draw_marks(
            axes, [(100 * spread.sampling_deviation, row)], "|", 13, MUTED, 3, markeredgewidth=2
        )
    draw_interval(axes, row, spread.deviation, SERIES[1].color)


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
