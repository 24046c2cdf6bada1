"""Distributions inside the networks, before and after training, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bnbench.inspection import LEVELS, ValuesRecord
from bnbench.reporting.figures.canvas import (
    SMALL_FONT_SIZE,
    Panel,
    make_panels,
    measure_labels,
    write_at,
    write_heading,
    write_x_label,
)
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import PAPER, SeriesStyle, style_series
from bnbench.reporting.sections.inside import list_layers, select_values
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import shorten_name

ROW_HEIGHT = 0.25
"""Inches of one distribution."""
LONGEST_NAME = 11
"""Characters of a variant's name beside its rows."""
MOST_LAYERS = 6
"""Of more layers the first and the last are drawn, half of them each."""
DECADES = 5
"""Powers of ten that the axis of gradients has at most."""
BARS = ((0, 6, 1.2, 0.6), (1, 5, 4.0, 0.5), (2, 4, 9.0, 0.75))
"""Places in `LEVELS` of each bar's ends, its thickness in points and its opacity."""


def draw_activations(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw the inputs of the activations; None without a hidden layer or an inspection."""
    values = select_values(summary.inspection, "input")
    return _draw(summary, values, "activations", "What the activations get", "input of activation")


def draw_gradients(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw the sizes of the weights' gradients; None without an inspection."""
    values = select_values(summary.inspection, "gradient")
    return _draw(summary, values, "gradients", "Gradients of the weights", "gradient of")


def _draw(
    summary: RunSummary, values: Sequence[ValuesRecord], name: str, title: str, heading: str
) -> Figure | None:
    """Draw one panel per layer, all with the same x axis."""
    if not values:
        return None
    layers = list_layers(values)
    shown = layers
    if len(layers) > MOST_LAYERS:
        shown = layers[: MOST_LAYERS // 2] + layers[-(MOST_LAYERS // 2) :]
    groups = {layer: [each for each in values if each.layer == layer] for layer in shown}
    labels = {layer: [_write_label(each) for each in group] for layer, group in groups.items()}
    layout = [
        Panel(ROW_HEIGHT * len(group), below=0.56 if layer == shown[-1] else 0.0)
        for layer, group in groups.items()
    ]
    left = measure_labels(labels, SMALL_FONT_SIZE) + 0.04
    drawing, panels = make_panels(title, layout, right=0.2, left=left)
    styles = style_series(summary.study.variants)
    drawn = [each for group in groups.values() for each in group]
    for axes, (layer, group) in zip(panels, groups.items(), strict=True):
        _set_scale(axes, drawn)
        _draw_layer(axes, group, styles)
        axes.tick_params(axis="x", labelbottom=layer == shown[-1])
        write_heading(axes, f"{heading} {layer.removeprefix('activation')}")
    is_gradient = values[0].kind == "gradient"
    write_x_label(panels[-1], "absolute gradient (log scale)" if is_gradient else "input")
    alt = {layer: [_describe(each) for each in group] for layer, group in groups.items()}
    return make_figure(drawing, name, _write_caption(layers, shown), alt, _list_rows(values))


def _set_scale(axes: Axes, drawn: Sequence[ValuesRecord]) -> None:
    lows, highs = zip(*((each.quantiles[0], each.quantiles[-1]) for each in drawn), strict=True)
    if drawn[0].kind == "input":
        margin = 0.03 * (max(highs) - min(lows)) or 1.0
        axes.set_xlim(min(lows) - margin, max(highs) + margin)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
        return
    greatest = max(max(highs), 1e-30)
    quarters = [each.quantiles[2] for each in drawn if each.quantiles[2] > 0]
    least = max(min(quarters, default=greatest / 10) / 3, greatest / 10**DECADES)
    axes.set_xscale("log")
    axes.set_xlim(least, greatest * 1.5)
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _draw_layer(axes: Axes, group: Sequence[ValuesRecord], styles: dict[str, SeriesStyle]) -> None:
    """Draw one row per variant and stage: bars between quantiles, and the median."""
    axes.set_ylim(len(group) - 0.5, -0.5)
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(visible=True, axis="x", color=axes.spines["bottom"].get_edgecolor(), alpha=0.2)
    lowest = axes.get_xlim()[0]
    for row, each in enumerate(group):
        color, is_after = styles[each.variant].color, each.stage == "after"
        for start, end, thickness, alpha in BARS:
            ends = [max(each.quantiles[place], lowest) for place in (start, end)]
            axes.plot(
                ends,
                [row, row],
                color=color,
                linewidth=thickness,
                alpha=alpha if is_after else alpha * 0.45,
                solid_capstyle="butt",
                zorder=2,
            )
        median = each.quantiles[3]
        if median >= lowest:
            axes.plot([median], [row], "|", color=PAPER, markersize=9, markeredgewidth=3, zorder=3)
            axes.plot(
                [median], [row], "|", color=color, markersize=9, markeredgewidth=1.4, zorder=4
            )
        write_at(
            axes, _write_label(each), 0, row, color, SMALL_FONT_SIZE, offset=(-5, 0), ha="right"
        )


def _write_label(each: ValuesRecord) -> str:
    return f"{shorten_name(each.variant, LONGEST_NAME)} {each.stage}"


def _describe(each: ValuesRecord) -> str:
    low, median, high = (each.quantiles[place] for place in (1, 3, 5))
    return (
        f"{each.variant} {each.stage} training: median {median:.2g}, from {low:.2g} to {high:.2g}"
    )


def _write_caption(layers: Sequence[str], shown: Sequence[str]) -> str:
    caption = (
        "Thick bars hold the middle half of the values, thinner ones 90 % and 98 %; a line marks "
        "the median. Pale is before training, strong after it."
    )
    if len(shown) < len(layers):
        caption += f" {len(layers) - len(shown)} layers in the middle are left out."
    return caption


def _list_rows(values: Sequence[ValuesRecord]) -> list[Row]:
    return [
        {
            "layer": each.layer,
            "variant": each.variant,
            "stage": each.stage,
            **{
                f"quantile_{level:g}": value
                for level, value in zip(LEVELS, each.quantiles, strict=True)
            },
            "spread": each.spread,
            "dead": each.dead,
        }
        for each in values
    ]
