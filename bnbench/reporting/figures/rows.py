"""Panels with one row per variant: a mark with its interval, the name on the left, a text right.

What figures of many variants share; not a figure of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from bnbench.reporting.figures.canvas import (
    EDGE,
    SMALL_FONT_SIZE,
    Panel,
    draw_marks,
    make_panels,
    measure_labels,
    write_at,
    write_heading,
)
from bnbench.reporting.figures.palette import GRID, INK, MUTED, PAPER
from bnbench.stats import Estimate

ROW_HEIGHT = 0.3
"""Inches of a variant's row."""
LEAST_COLUMN = 0.9
"""Inches of the texts on the right, if there are any, so that their heading has room."""


def make_row_panels(
    title: str,
    names: Mapping[str, Sequence[str]],
    texts: Mapping[str, Sequence[str]],
    column: str,
) -> tuple[Drawing, list[Axes]]:
    """Make one panel per device, with the variants' names and texts in their rows.

    The first row, at height 0, is on top; the x axis is left to the caller.

    Args:
        title: of the figure, one line.
        names: by device, the variants from top to bottom.
        texts: by device, what stands to the right of each row; empty for nothing.
        column: what the texts are, written above them if any row has one.
    """
    has_texts = any(text for of_device in texts.values() for text in of_device)
    right = 2 * EDGE
    if has_texts:
        right = max(measure_labels(texts, SMALL_FONT_SIZE) + 0.1, LEAST_COLUMN)
    layout = [Panel(ROW_HEIGHT * len(of_device)) for of_device in names.values()]
    drawing, panels = make_panels(title, layout, right=right, left=measure_labels(names))
    for axes, (device, of_device) in zip(panels, names.items(), strict=True):
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        axes.set_ylim(len(of_device) - 0.5, -0.5)
        axes.set_yticks(range(len(of_device)), of_device)
        axes.tick_params(axis="y", labelcolor=INK)
        for row, text in enumerate(texts[device]):
            write_at(axes, text, 1, row, MUTED, SMALL_FONT_SIZE, offset=(6, 0), ha="left")
        if has_texts:
            write_at(
                axes, column, 1, 1, INK, offset=(6, 12), xycoords="axes fraction", va="baseline"
            )
        write_heading(axes, f"variant on {device}" if len(names) > 1 else "variant")
    return drawing, panels


def draw_interval(
    axes: Axes, row: int, estimate: Estimate, color: str, *, is_filled: bool = True
) -> None:
    """Draw an estimate, a fraction, in points: a dot, and a line for its interval if it has one."""
    if estimate.value is None:
        return
    if estimate.low is not None and estimate.high is not None:
        axes.plot([100 * estimate.low, 100 * estimate.high], [row, row], color=color, lw=1.8)
    fill = color if is_filled else PAPER
    point = [(100 * estimate.value, row)]
    draw_marks(axes, point, "o", 6, color, 4, markerfacecolor=fill, markeredgewidth=1.4)
