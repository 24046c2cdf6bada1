"""The panel of one engine on one device: a row a variant, each epoch a dot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from bnbench.reporting.figures.canvas import FONT_SIZE, SMALL_FONT_SIZE
from bnbench.reporting.figures.palette import MUTED, SeriesStyle
from bnbench.reporting.figures.wording import LONGEST_NAME, shorten_name, write_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bnbench.stats import EpochTime

ROW_HEIGHT = 0.72
"""Inches of a variant's row: a line of text and its dots."""
FARTHEST = 1.5
"""An outlier is drawn in its place up to this many times the slowest usual epoch."""
GOLDEN_RATIO = 0.618033988749895


@dataclass(frozen=True)
class Timing:
    """The epochs of one variant that one engine trained on one device, one trial at a time."""

    device: str
    engine: str
    variant: str
    time: EpochTime
    epochs: tuple[tuple[int, int, float], ...]
    """Seed, epoch from 1, seconds of training."""


def draw_timings(axes: Axes, timings: Sequence[Timing], styles: dict[str, SeriesStyle]) -> None:
    """Draw the timings of one engine on one device, a row each, from 0 seconds on."""
    farthest = _find_farthest(timings)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, farthest)
    # A row is one unit high: its text between 0 and 0.4, its dots around 0.66.
    axes.set_ylim(len(timings), 0)
    axes.yaxis.set_major_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    for row, timing in enumerate(timings):
        style = styles[timing.variant]
        _draw_epochs(axes, timing, style, row + 0.66, farthest)
        _draw_quartiles(axes, timing.time, style, row + 0.66)
        _write_row(axes, timing, style, row, farthest)


def _find_farthest(timings: Sequence[Timing]) -> float:
    """Where the axis ends: beyond all usual epochs, and near outliers too."""
    usual = max(
        seconds
        for timing in timings
        for _, _, seconds in timing.epochs
        if not is_slow(timing, seconds)
    )
    near = [
        seconds
        for timing in timings
        for _, _, seconds in timing.epochs
        if seconds <= FARTHEST * usual
    ]
    return 1.06 * max(near)


def is_slow(timing: Timing, seconds: float) -> bool:
    """Whether an epoch is one of the timing's outliers."""
    return timing.time.limit_seconds is not None and seconds > timing.time.limit_seconds


def _draw_epochs(
    axes: Axes, timing: Timing, style: SeriesStyle, middle: float, farthest: float
) -> None:
    """Draw each epoch as a dot, an outlier as a cross; they are scattered so as not to hide."""
    alpha = min(max(15 / len(timing.epochs), 0.2), 0.6)
    for slow in (False, True):
        points = [
            (seconds, middle + 0.34 * ((index * GOLDEN_RATIO) % 1 - 0.5))
            for index, (_, _, seconds) in enumerate(timing.epochs)
            if is_slow(timing, seconds) == slow and seconds <= farthest
        ]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=style.color,
            linestyle="none",
            marker="x" if slow else "o",
            markersize=5.5 if slow else 3.6,
            markeredgewidth=1.3 if slow else 0,
            alpha=1 if slow else alpha,
            zorder=2,
        )


def _draw_quartiles(axes: Axes, time: EpochTime, style: SeriesStyle, middle: float) -> None:
    lower, upper, median = (
        time.lower_quartile_seconds,
        time.upper_quartile_seconds,
        time.median_seconds,
    )
    if lower is None or upper is None or median is None:
        return
    axes.add_patch(
        Rectangle(
            (lower, middle - 0.24),
            upper - lower,
            0.48,
            facecolor="none",
            edgecolor=style.color,
            linewidth=1.3,
            zorder=3,
        )
    )
    axes.plot(
        [median, median],
        [middle - 0.28, middle + 0.28],
        color=style.color,
        linewidth=2,
        solid_capstyle="butt",
        zorder=4,
    )


def _write_row(axes: Axes, timing: Timing, style: SeriesStyle, row: int, farthest: float) -> None:
    median = timing.time.median_seconds
    beyond = [seconds for _, _, seconds in timing.epochs if seconds > farthest]
    name = shorten_name(timing.variant, 12 if beyond else LONGEST_NAME)
    axes.annotate(
        name if median is None else f"{name}, median {write_seconds(median)}",
        (0, row + 0.2),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=FONT_SIZE,
        color=style.color,
        annotation_clip=False,
    )
    if beyond:
        axes.annotate(
            f"{len(beyond)} beyond, up to {write_seconds(max(beyond))} →",
            (1, row + 0.2),
            xycoords=("axes fraction", "data"),
            va="center",
            ha="right",
            fontsize=SMALL_FONT_SIZE,
            color=MUTED,
            annotation_clip=False,
        )
