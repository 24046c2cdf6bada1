"""Time to the target: the share of trials that have reached it, by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes

from bnbench.reporting.figures.canvas import (
    Panel,
    label_line_ends,
    make_panels,
    mark_epochs,
    measure_labels,
    write_heading,
)
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import GRID, MUTED, SeriesStyle, style_series
from bnbench.reporting.sections.time_to_target import ArrivalSummary
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import format_percent, shorten_name

TITLE = "Time to the target accuracy"
END = 1.04
"""Where the x axis ends, in epochs of a trial, so that the last step is visible."""


def draw_time_to_target(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw the share of trials that have arrived, one panel per device; None without a target.

    The share is one minus the Kaplan-Meier estimate. Every trial counts as watched for all
    epochs, since a trial that failed never arrives, so it is the plain share as well.
    """
    found = summary.time_to_target
    if not found.arrivals:
        return None
    styles, num_epochs = style_series(summary.study.variants), summary.study.recipe.epochs
    by_device = {d: list(group) for d, group in groupby(found.arrivals, lambda v: v.device)}
    labels = {device: [_write_label(v) for v in group] for device, group in by_device.items()}
    drawing, panels = make_panels(TITLE, [Panel(2.3)] * len(by_device), measure_labels(labels))
    for axes, (device, variants) in zip(panels, by_device.items(), strict=True):
        _draw_panel(axes, variants, styles, num_epochs)
        steps = f"epoch ({found.steps_per_epoch:,} steps each)"
        mark_epochs(axes, range(num_epochs + 1), steps)
        where = f"{device}: " if len(by_device) > 1 else ""
        target = format_percent(found.targets[device], 1)
        write_heading(axes, f"{where}% of trials that have reached {target}")
    caption = _write_caption(found.arrivals)
    return make_figure(drawing, "time_to_target", caption, labels, _list_rows(summary))


def _draw_panel(
    axes: Axes,
    variants: Sequence[ArrivalSummary],
    styles: dict[str, SeriesStyle],
    num_epochs: int,
) -> None:
    axes.axhline(50, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    ends = []
    for variant in variants:
        style = styles[variant.variant]
        counts = _count_arrivals(variant, num_epochs)
        shares = [100 * count / variant.num_trials for count in counts]
        axes.plot(
            [*range(num_epochs + 1), num_epochs * END],
            [*shares, shares[-1]],
            drawstyle="steps-post",
            color=style.color,
            linewidth=2,
            linestyle=style.dashes,
            # Where curves coincide, a solid one shows through the gaps of the others.
            zorder=3 + bool(style.dashes[1]),
            solid_capstyle="butt",
            clip_on=False,
        )
        ends.append((num_epochs * END, shares[-1], _write_label(variant), style.color))
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_xlim(0, num_epochs * END)
    axes.spines["bottom"].set_color(GRID)
    label_line_ends(axes, ends)


def _count_arrivals(variant: ArrivalSummary, num_epochs: int) -> list[int]:
    """How many trials have arrived after 0, 1, ..., `num_epochs` epochs."""
    arrivals = variant.convergence.arrival_epochs if variant.convergence is not None else ()
    return [
        sum(arrival is not None and arrival <= epoch for arrival in arrivals)
        for epoch in range(num_epochs + 1)
    ]


def _count_arrived(variant: ArrivalSummary) -> int:
    return variant.convergence.num_arrived if variant.convergence else 0


def _write_label(variant: ArrivalSummary) -> str:
    return f"{shorten_name(variant.variant)}\n{_count_arrived(variant)} of {variant.num_trials}"


def _write_caption(shown: Sequence[ArrivalSummary]) -> str:
    text = (
        "Accuracy is measured at the end of each epoch. "
        "Where a line crosses the dotted one, half of the trials have reached the target."
    )
    if not any(_count_arrived(variant) for variant in shown):
        return f"No trial reached the target. {text}"
    if any(_count_arrived(variant) < variant.num_trials for variant in shown):
        text += " Trials that never reach it are counted too."
    return text


def _list_rows(summary: RunSummary) -> list[Row]:
    found = summary.time_to_target
    return [
        {
            "device": variant.device,
            "variant": variant.variant,
            "target_accuracy": found.targets[variant.device],
            "epoch": epoch,
            "steps": epoch * found.steps_per_epoch,
            "num_arrived": count,
            "num_trials": variant.num_trials,
            "share_arrived": count / variant.num_trials,
        }
        for variant in found.arrivals
        for epoch, count in enumerate(_count_arrivals(variant, summary.study.recipe.epochs))
    ]
