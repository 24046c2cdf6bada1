"""The strip above accuracy by learning rate: a bar over the rates that work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import NullLocator

from bnbench.reporting.figures.canvas import FONT_SIZE, LINE_HEIGHT, SMALL_FONT_SIZE
from bnbench.reporting.figures.palette import MUTED
from bnbench.reporting.figures.wording import shorten_name, write_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bnbench.reporting.figures.palette import SeriesStyle
    from bnbench.reporting.sections.rates import SensitivitySummary


ROW_HEIGHT = 0.44
"""Inches of a variant's row in the strip of working rates: two lines of text."""


def draw_strip(
    axes: Axes, shown: Sequence[SensitivitySummary], styles: dict[str, SeriesStyle]
) -> None:
    """Draw a bar over the rates that work, one row a variant, its best rate marked."""
    axes.set_xscale("log")
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.xaxis.set_major_locator(NullLocator())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines["bottom"].set_visible(False)
    for row, sensitivity in enumerate(shown):
        style, band = styles[sensitivity.variant], sensitivity.result.band
        axes.annotate(
            write_row_label(sensitivity),
            (1, row),
            xycoords=("axes fraction", "data"),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            linespacing=LINE_HEIGHT,
            fontsize=SMALL_FONT_SIZE,
            color=style.color,
            annotation_clip=False,
        )
        if band is None:
            axes.annotate(
                "no rate of the grid trains it",
                (0.02, row),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=FONT_SIZE,
                color=MUTED,
            )
            continue
        axes.plot(
            [band.low_rate, band.high_rate],
            [row, row],
            color=style.color,
            alpha=0.35,
            linewidth=9,
            solid_capstyle="round",
            zorder=2,
        )
        if band.reaches_lowest:
            _draw_arrow(axes, "◂", band.low_rate, row, style)
        if band.reaches_highest:
            _draw_arrow(axes, "▸", band.high_rate, row, style)
        axes.plot(
            [sensitivity.result.best_rate or band.low_rate],
            [row],
            linestyle="none",
            marker=style.marker,
            markersize=6,
            color=style.color,
            zorder=3,
        )


def _draw_arrow(axes: Axes, arrow: str, rate: float, row: int, style: SeriesStyle) -> None:
    """Say that a band ends where the grid does, and may go on beyond."""
    is_low = arrow == "◂"
    axes.annotate(
        arrow,
        (rate, row),
        xytext=(-6 if is_low else 6, 0),
        textcoords="offset points",
        ha="right" if is_low else "left",
        va="center",
        fontsize=FONT_SIZE,
        color=style.color,
        annotation_clip=False,
    )


def write_row_label(sensitivity: SensitivitySummary) -> str:
    """Write a variant's name and its best rate, if there is one."""
    best = sensitivity.result.best_rate
    name = shorten_name(sensitivity.variant)
    return f"{name}\nbest {write_rate(best)}" if best is not None else name
