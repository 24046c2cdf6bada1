"""Panels of fixed size in inches, one below the other, and the labels beside them.

A figure is as wide as a phone can show with legible text, and grows downwards. Sizes are set
here and not found by a layout engine, so that nothing moves when a label changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from bnbench.reporting.figures.palette import GRID, INK, MUTED

WIDTH = 4.9
"""Inches: 353 points, about as many as a phone's screen has CSS pixels."""
TITLE_HEIGHT = 0.42
"""Inches above the panels for the title, which SVG leaves to the page."""
HEADING_HEIGHT = 0.4
"""Inches above a panel for its heading."""
FONT_SIZE = 11.0
SMALL_FONT_SIZE = 10.0
LINE_HEIGHT = 1.2
"""Distance of lines of text, in font sizes."""
EDGE = 0.08
"""Inches kept free at the figure's edges."""
LABEL_GUTTER = 0.06
"""Inches between a panel and the labels of its lines."""
FONT_FAMILY = "DejaVu Sans"
"""The font that ships with matplotlib: every machine measures and draws the same."""


@dataclass(frozen=True)
class Panel:
    """One panel to lay out, in inches."""

    height: float
    below: float = 0.56
    """Room for tick labels and the label of the x axis."""


def make_panels(
    title: str, panels: Sequence[Panel], right: float, left: float = 0.5
) -> tuple[Drawing, list[Axes]]:
    """Make a drawing with its title and empty panels below each other.

    Args:
        title: one line.
        panels: top to bottom.
        right: inches to the right of the panels, for the labels of lines.
        left: inches to the left of them, for tick labels.
    """
    total = TITLE_HEIGHT + sum(HEADING_HEIGHT + p.height + p.below for p in panels)
    drawing = Drawing(figsize=(WIDTH, total))
    drawing.text(EDGE / WIDTH, 1 - 0.3 / total, title, fontsize=13, fontweight="bold", color=INK)
    axes = []
    top = total - TITLE_HEIGHT
    for panel in panels:
        bottom = top - HEADING_HEIGHT - panel.height
        box = (left / WIDTH, bottom / total, (WIDTH - left - right) / WIDTH, panel.height / total)
        axes.append(_dress_axes(drawing.add_axes(box)))
        top = bottom - panel.below
    return drawing, axes


def _dress_axes(axes: Axes) -> Axes:
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=SMALL_FONT_SIZE, length=3)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def write_heading(axes: Axes, text: str) -> None:
    """Write what a panel's y axis measures above it, where it need not be read sideways."""
    left = axes.get_position().x0 * WIDTH - EDGE
    write_at(
        axes, text, 0, 1, INK, offset=(-left * 72, 12), xycoords="axes fraction", va="baseline"
    )


def write_x_label(axes: Axes, text: str) -> None:
    """Write what the x axis measures below it."""
    axes.set_xlabel(text, fontsize=FONT_SIZE, color=INK, labelpad=4)


def mark_epochs(axes: Axes, epochs: range, label: str) -> None:
    """Mark whole epochs on the x axis, each of them if they are few."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    if epochs[-1] <= 10:
        axes.set_xticks(epochs)
    write_x_label(axes, label)


def write_at(
    axes: Axes,
    text: str,
    x: float,
    y: float,
    color: str,
    size: float = FONT_SIZE,
    offset: tuple[float, float] = (0, 0),
    **look: Any,
) -> None:
    """Write a text at a fraction of the panel's width and at a height in data.

    Args:
        axes: the panel.
        text: lines separated by newlines.
        x: 0 at the panel's left edge, 1 at its right.
        y: where the text's middle lies.
        color: ``#rrggbb``.
        size: of the font, in points.
        offset: points to the right and upwards.
        look: what else `Axes.annotate` takes.
    """
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
    axes.annotate(
        text,
        (x, y),
        offset,
        **(place | look),
        fontsize=size,
        color=color,
        annotation_clip=False,
    )


def draw_marks(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    marker: str,
    size: float,
    color: str,
    zorder: int,
    **look: Any,
) -> None:
    """Draw a marker of a size in points at each (x, y), without a line."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    marks: dict[str, Any] = {"linestyle": "none", "marker": marker, "markersize": size}
    axes.plot(xs, ys, **(marks | look), color=color, zorder=zorder)


def measure_labels(labels: Mapping[str, Sequence[str]], size: float = FONT_SIZE) -> float:
    """Inches to the right of the panels that the longest line of their labels takes.

    Args:
        labels: by panel, the labels of its lines or rows.
        size: of the font, in points.
    """
    font = FontProperties(family=FONT_FAMILY)
    widths = [
        float(TextPath((0, 0), line, size=size, prop=font).get_extents().width)
        for label in chain.from_iterable(labels.values())
        for line in label.split("\n")
        if line.strip()
    ]
    return max(widths) / 72 + LABEL_GUTTER + EDGE


def spread_labels(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart as little as keeps them from overlapping.

    Args:
        wanted: shape (num_labels,), where each label's middle would best be.
        gap: least distance of two middles, in the same unit.
        low: least position of a middle.
        high: greatest position of a middle; if not all labels fit, those at the top exceed it.

    Returns:
        Where each label's middle goes, in the order of `wanted`.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    # Labels that touch form a block; each block sits at the mean of what its labels want.
    blocks: list[list[float]] = []
    for rank, index in enumerate(order):
        blocks.append([wanted[index] - rank * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1].extend(last)
    highest = high - (len(wanted) - 1) * gap
    starts = [max(min(fmean(block), highest), low) for block in blocks for _ in block]
    positions = [0.0] * len(wanted)
    for rank, index in enumerate(order):
        positions[index] = starts[rank] + rank * gap
    return positions


def label_line_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each line's label to the right of its end, moved apart where they would overlap.

    Args:
        axes: with its limits set.
        ends: x and y of a line's end in data, its label (lines separated by newlines), its color.
    """
    if not ends:
        return
    height = axes.get_position().height * axes.figure.get_size_inches()[1] * 72  # type: ignore[union-attr]
    bottom, top = axes.get_ylim()
    left_limit, right_limit = axes.get_xlim()
    gutter = LABEL_GUTTER * (right_limit - left_limit) / (axes.get_position().width * WIDTH)
    num_lines = max(label.count("\n") + 1 for _, _, label, _ in ends)
    gap = (num_lines + 0.35) * FONT_SIZE * LINE_HEIGHT
    wanted = [(y - bottom) / (top - bottom) * height for _, y, _, _ in ends]
    half = num_lines * FONT_SIZE * LINE_HEIGHT / 2
    places = spread_labels(wanted, gap, min(half, height / 2) - 4, height - half + 14)
    for (x, y, label, color), want, place in zip(ends, wanted, places, strict=True):
        is_far = x < right_limit - 0.1 * (right_limit - left_limit)
        # A thin line to a label that was moved, dotted where the label is far away.
        leader = {
            "arrowstyle": "-",
            "linestyle": (0, (1, 3)) if is_far else "solid",
            "color": color,
            "linewidth": 0.7,
            "alpha": 0.6,
            "shrinkA": 1,
            "shrinkB": 4,
            "relpos": (0, 0.5),
        }
        axes.annotate(
            label,
            (x, y),
            xycoords="data",
            xytext=(right_limit + gutter, place / height * (top - bottom) + bottom),
            textcoords="data",
            va="center",
            ha="left",
            fontsize=FONT_SIZE,
            linespacing=LINE_HEIGHT,
            color=color,
            annotation_clip=False,
            arrowprops=leader if is_far or abs(place - want) > FONT_SIZE / 2 else None,
        )
