"""What the networks get wrong: accuracy by class, and how a technique changes the answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from bnbench.reporting.figures.canvas import (
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
from bnbench.reporting.figures.palette import INK, MUTED, SeriesStyle, style_series
from bnbench.reporting.sections.mistakes import ClassesSummary, select_device
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import shorten_name

TITLE = "What the networks get wrong"
ROW_HEIGHT = 0.27
"""Inches of a class's row."""
MANY_CLASSES = 15
"""More classes have lower rows with smaller names, and matrices without numbers."""
MANY_ROW_HEIGHT = 0.13
MANY_FONT_SIZE = 6.0
MOST_CLASSES = 50
"""Of more classes only the hardest are drawn."""
LEAST_SHOWN = 0.005
"""Differences below it, as a fraction of a class's images, are left blank."""
STRONGEST = 0.45
"""Opacity of the largest difference; more would hide its number."""


def draw_mistakes(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw the accuracy by class, and a matrix for each candidate; None without an inspection."""
    if summary.inspection is None or not summary.mistakes:
        return None
    names, shown = summary.inspection.class_names, select_device(summary.mistakes)
    styles = style_series(summary.study.variants)
    candidates = [each for each in shown[1:] if each.differences]
    # The hardest class first; in the matrices too, where classes that are confused then meet.
    means = [np.mean([e.accuracy[c].value or 0.0 for e in shown]) for c in range(len(names))]
    order = sorted(range(len(names)), key=lambda place: means[place])[:MOST_CLASSES]
    row_height, font_size = _choose_sizes(len(order))
    noun = summary.inspection.noun
    legend_height = ROW_HEIGHT * ((len(shown) + 1) // 2)
    left = measure_labels({"": [names[place] for place in order]}, font_size) + 0.04
    side = row_height * len(order)
    layout = [Panel(side + legend_height)]
    layout += [Panel(side, below=left + 0.3)] * len(candidates)
    drawing, panels = make_panels(TITLE, layout, right=0.15, left=left)
    _draw_classes(panels[0], shown, order, names, styles, legend_height / row_height, noun)
    for axes, candidate in zip(panels[1:], candidates, strict=True):
        _draw_matrix(axes, shown[0], candidate, order, names, styles)
    labels = {
        each.variant: [
            f"{names[place]} {100 * value:.1f} %"
            for place in order
            if (value := each.accuracy[place].value) is not None
        ]
        for each in shown
    }
    caption = _write_caption(shown, summary)
    return make_figure(drawing, "mistakes", caption, labels, _list_rows(summary, names))


def _draw_classes(
    axes: Axes,
    shown: Sequence[ClassesSummary],
    order: Sequence[int],
    names: Sequence[str],
    styles: dict[str, SeriesStyle],
    legend_rows: float,
    noun: str,
) -> None:
    """Draw one row per class: a mark for each variant, with its interval.

    The legend takes the height of `legend_rows` such rows above them.
    """
    row_height, font_size = _choose_sizes(len(order))
    axes.set_ylim(len(order) - 0.5, -0.5 - legend_rows)
    labels = [names[place] for place in order]
    axes.set_yticks(range(len(order)), labels, color=INK, fontsize=font_size)
    values = [
        100 * end
        for each in shown
        for found in each.accuracy
        for end in (found.value, found.low, found.high)
        if end is not None
    ]
    margin = max(0.05 * (max(values) - min(values)), 0.5)
    axes.set_xlim(max(min(values) - margin, -2), min(max(values) + margin, 102))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    for place, each in enumerate(shown):
        style = styles[each.variant]
        shift = 0.5 * ((place + 0.5) / len(shown) - 0.5) if len(shown) > 1 else 0.0
        for row, label in enumerate(order):
            found = each.accuracy[label]
            if found.value is None:
                continue
            if found.low is not None and found.high is not None:
                ends = [100 * found.low, 100 * found.high]
                axes.plot(ends, [row + shift] * 2, color=style.color, linewidth=1.4, zorder=2)
            draw_marks(axes, [(100 * found.value, row + shift)], style.marker, 5, style.color, 3)
        x, y = 0.02 + 0.5 * (place % 2), place // 2 * ROW_HEIGHT / row_height - legend_rows
        axes.plot(
            [x],
            [y],
            style.marker,
            color=style.color,
            markersize=6,
            transform=axes.get_yaxis_transform(),
        )
        write_at(axes, shorten_name(each.variant), x, y, style.color, offset=(9, 0))
    write_heading(axes, f"test {noun}s of each class classified correctly, %")
    write_x_label(axes, "accuracy, %")


def _draw_matrix(
    axes: Axes,
    baseline: ClassesSummary,
    candidate: ClassesSummary,
    order: Sequence[int],
    names: Sequence[str],
    styles: dict[str, SeriesStyle],
) -> None:
    """Draw how much more (+) or less (-) often the candidate gives each answer, in points."""
    change = (np.array(candidate.shares) - np.array(baseline.shares))[np.ix_(order, order)]
    largest = max(float(np.abs(change).max()), LEAST_SHOWN)
    size = len(order)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    labels = [names[place] for place in order]
    font_size = _choose_sizes(size)[1]
    axes.set_yticks(range(size), labels, color=INK, fontsize=font_size)
    axes.set_xticks(range(size), labels, rotation=90, color=INK, fontsize=font_size)
    axes.grid(visible=False)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    for row in range(size):
        axes.add_patch(
            Rectangle(
                (row - 0.5, row - 0.5), 1, 1, facecolor="none", edgecolor=MUTED, linewidth=0.8
            )
        )
        for column in range(size):
            value = float(change[row, column])
            if abs(value) < LEAST_SHOWN:
                continue
            winner = candidate if value > 0 else baseline
            alpha = 0.06 + (STRONGEST - 0.06) * abs(value) / largest
            axes.add_patch(
                Rectangle(
                    (column - 0.47, row - 0.47),
                    0.94,
                    0.94,
                    facecolor=styles[winner.variant].color,
                    alpha=alpha,
                    linewidth=0,
                )
            )
            if size > MANY_CLASSES:
                continue
            axes.text(
                column,
                row,
                _format_change(value),
                fontsize=font_size,
                color=INK,
                ha="center",
                va="center",
            )
    name, other = shorten_name(candidate.variant), shorten_name(baseline.variant)
    write_heading(axes, f"{name} minus {other}, points")
    write_x_label(axes, "predicted class")


def _choose_sizes(num_classes: int) -> tuple[float, float]:
    """The inches of a class's row, and the font size of its name."""
    if num_classes <= MANY_CLASSES:
        return ROW_HEIGHT, SMALL_FONT_SIZE
    return MANY_ROW_HEIGHT, MANY_FONT_SIZE


def _format_change(value: float) -> str:
    digits = 1 if abs(value) < 0.0995 else 0
    return f"{100 * value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _write_caption(shown: Sequence[ClassesSummary], summary: RunSummary) -> str:
    sentences = ["Marks are means over seeds, and lines the means' 95 % intervals."]
    if len(shown) > 1:
        sentences.append(
            "In the matrix a row is a true class, and a number is in percentage points of its "
            f"{summary.data.noun}s: + where the network named first gives the answer more often, "
            "in its color. Answers on the diagonal are right. Blank is less than "
            f"{100 * LEAST_SHOWN:g} points."
        )
    num_classes = len(shown[0].accuracy)
    if num_classes > MANY_CLASSES:
        hardest = f"the hardest {MOST_CLASSES} of " if num_classes > MOST_CLASSES else ""
        sentences.append(
            f"It shows {hardest}{num_classes} classes without the numbers, which the CSV file has."
        )
    if len(summary.study.devices) > 1:
        sentences.append(f"This is {shown[0].device}; the CSV file has every device.")
    return " ".join(sentences)


def _list_rows(summary: RunSummary, names: Sequence[str]) -> list[Row]:
    return [
        {
            "device": each.device,
            "variant": each.variant,
            "true_class": true_name,
            "predicted_class": name,
            "share": each.shares[true][predicted],
            "low": each.accuracy[true].low if true == predicted else None,
            "high": each.accuracy[true].high if true == predicted else None,
        }
        for each in summary.mistakes
        for true, true_name in enumerate(names)
        for predicted, name in enumerate(names)
    ]
