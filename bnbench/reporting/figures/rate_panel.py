"""Learning rates on one device: the rates that work as bars, and the accuracy at each rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bnbench.records import TrialRecord
from bnbench.reporting.figures.canvas import (
    LINE_HEIGHT,
    SMALL_FONT_SIZE,
    draw_marks,
    write_at,
    write_x_label,
)
from bnbench.reporting.figures.palette import MUTED, PAPER, SeriesStyle
from bnbench.reporting.sections.rates import SensitivitySummary
from bnbench.reporting.wording import shorten_name

ROW_HEIGHT = 0.44
"""Inches of a variant's row in the strip of working rates: two lines of text."""


def draw_strip(
    axes: Axes,
    shown: Sequence[SensitivitySummary],
    labels: Sequence[str],
    styles: Sequence[SeriesStyle],
) -> None:
    """Draw a bar over the rates that work, one row per variant, its best rate marked.

    Args:
        axes: an empty panel.
        shown: the sensitivities, top to bottom.
        labels: at most two lines for each, written beside its row.
        styles: how each looks.
    """
    axes.set_xscale("log")
    axes.set_ylim(len(shown) - 0.5, -0.5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(NullLocator())
        axis.set_minor_locator(NullLocator())
    axes.spines["bottom"].set_visible(False)
    for row, (sensitivity, label, style) in enumerate(zip(shown, labels, styles, strict=True)):
        band, look = sensitivity.result.band, {"linespacing": LINE_HEIGHT}
        write_at(axes, label, 1, row, style.color, SMALL_FONT_SIZE, (7, 0), **look)
        if band is None:
            write_at(axes, "no rate of the grid trains it", 0.02, row, MUTED)
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
        # An arrow where the band ends with the grid, and may go on beyond.
        for is_reached, arrow, rate, shift, side in (
            (band.reaches_lowest, "◂", band.low_rate, -6, "right"),
            (band.reaches_highest, "▸", band.high_rate, 6, "left"),
        ):
            if is_reached:
                offset = (float(shift), 0.0)
                write_at(
                    axes, arrow, rate, row, style.color, offset=offset, xycoords="data", ha=side
                )
        best = [(sensitivity.result.best_rate or band.low_rate, float(row))]
        draw_marks(axes, best, style.marker, 6, style.color, 3)


def write_row_label(sensitivity: SensitivitySummary) -> str:
    """Write a variant's name and its best rate, if there is one."""
    best = sensitivity.result.best_rate
    return shorten_name(sensitivity.variant) + ("" if best is None else f"\nbest {best:.3g}")


def draw_sensitivities(
    axes: Axes,
    shown: Sequence[SensitivitySummary],
    tried: Sequence[Sequence[TrialRecord]],
    styles: Sequence[SeriesStyle],
) -> None:
    """Draw the accuracy of all variants on one device.

    Args:
        axes: an empty panel.
        shown: the sensitivities of the device's variants.
        tried: the tuning trials of each.
        styles: how each looks.
    """
    rates = sorted({rate.learning_rate for each in shown for rate in each.result.rates})
    for place, (sensitivity, of_variant, style) in enumerate(
        zip(shown, tried, styles, strict=True)
    ):
        shift = _find_shift(rates, place, len(shown))
        _draw_trials(axes, of_variant, shift, style, sensitivity.result.chance)
        _draw_means(axes, sensitivity, shift, style)
    axes.set_xscale("log")
    span = math.log10(rates[-1] / rates[0])
    pad = 10 ** (0.05 * span + 0.05)
    axes.set_xlim(rates[0] / pad, rates[-1] * pad)
    subs = (1.0,) if span > 2 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:.3g}"))
    axes.set_ylim(0, 100)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    write_x_label(axes, "learning rate (log scale)")


def draw_chance(axes: Axes, chance: float) -> None:
    """Draw the accuracy of guessing, a fraction, as a line with its name."""
    axes.axhline(100 * chance, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    write_at(axes, "chance", 1, 100 * chance, MUTED, SMALL_FONT_SIZE, offset=(6, 0))


def _find_shift(rates: Sequence[float], place: int, num_variants: int) -> float:
    """The factor that moves a variant sideways, so that it does not hide the others."""
    steps = [math.log10(high / low) for low, high in pairwise(rates)]
    offset = (place - (num_variants - 1) / 2) / num_variants
    return 10 ** float(0.36 * min(steps, default=0.3) * offset)


def _draw_trials(
    axes: Axes, trials: Sequence[TrialRecord], shift: float, style: SeriesStyle, chance: float
) -> None:
    """Draw each trial as a faint dot, and each that failed as a cross at chance level."""
    finished: list[tuple[float, float]] = []
    failed: list[tuple[float, float]] = []
    for record in trials:
        x = record.trial.recipe.learning_rate * shift
        if record.status == "finished":
            finished.append((x, 100 * record.epochs[-1].test_accuracy))
        else:
            failed.append((x, 100 * chance))
    draw_marks(axes, finished, "o", 3.6, style.color, 2, markeredgewidth=0, alpha=0.3)
    draw_marks(axes, failed, "x", 6, style.color, 4, markeredgewidth=1.3)


def _draw_means(
    axes: Axes, sensitivity: SensitivitySummary, shift: float, style: SeriesStyle
) -> None:
    """Draw the means as a line, with intervals, a ring on the best, marks where any learned."""
    known, learned = [], []
    for rate in sensitivity.result.rates:
        x, mean = rate.learning_rate * shift, rate.accuracy
        if mean.low is not None and mean.high is not None and mean.high > mean.low:
            ends = [100 * mean.low, 100 * mean.high]
            axes.plot([x, x], ends, color=style.color, linewidth=1.1, alpha=0.7, zorder=3)
        if mean.value is None:
            continue
        known.append((x, 100 * mean.value))
        if rate.num_diverged < rate.num_trials:
            learned.append(known[-1])
        if rate.learning_rate == sensitivity.result.best_rate:
            ring = {"markerfacecolor": "none", "markeredgewidth": 1.5}
            draw_marks(axes, known[-1:], "o", 12, style.color, 6, **ring)
    axes.plot(
        [x for x, _ in known],
        [y for _, y in known],
        color=style.color,
        linewidth=1.8,
        linestyle=style.dashes,
        zorder=5,
    )
    edge = {"markeredgecolor": PAPER, "markeredgewidth": 0.6}
    draw_marks(axes, learned, style.marker, 5, style.color, 6, **edge)
