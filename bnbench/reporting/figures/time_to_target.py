"""Time to the target: the share of trials that have reached it, by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator

from bnbench.reporting.figures.canvas import (
    EDGE,
    LABEL_GUTTER,
    Panel,
    label_line_ends,
    make_panels,
    measure_text,
    write_heading,
    write_x_label,
)
from bnbench.reporting.figures.output import make_figure
from bnbench.reporting.figures.palette import GRID, MUTED, SeriesStyle, style_series
from bnbench.reporting.figures.wording import (
    join_parts,
    shorten_name,
    write_count,
    write_percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bnbench.reporting.figures.figure import Cell, Figure
    from bnbench.reporting.sections.time_to_target import ArrivalSummary
    from bnbench.reporting.summary import RunSummary
    from bnbench.reporting.trials import RunTrials

TITLE = "Time to the target accuracy"
COLUMNS = (
    "device",
    "variant",
    "target_accuracy",
    "epoch",
    "steps",
    "num_arrived",
    "num_trials",
    "share_arrived",
)
END = 1.04
"""Where the x axis ends, in epochs of a trial, so that the last step has a tread."""


def draw_time_to_target(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw the share of trials that have arrived, a panel a device; None without a target.

    The share is one minus the Kaplan-Meier estimate. Every trial counts as watched for all
    epochs (one that failed will not arrive any more), so that it is the plain share as well.
    """
    shown = summary.time_to_target.arrivals
    devices = [d for d in summary.study.devices if any(v.device == d for v in shown)]
    if not devices:
        return None
    styles = style_series(tuple(variant.name for variant in summary.study.variants))
    num_epochs = summary.study.recipe.epochs
    right = max(measure_text(_write_label(variant)) for variant in shown) + LABEL_GUTTER + EDGE
    drawing, panels = make_panels(TITLE, [Panel(2.3)] * len(devices), 0.5, right)
    for axes, device in zip(panels, devices, strict=True):
        of_device = [variant for variant in shown if variant.device == device]
        _draw_panel(axes, of_device, styles, num_epochs)
        where = f"{device}: " if len(devices) > 1 else ""
        target = write_percent(summary.time_to_target.targets[device] or 0.0)
        write_heading(axes, f"{where}% of trials that have reached {target}")
        write_x_label(axes, f"epoch ({summary.time_to_target.steps_per_epoch:,} steps each)")
    return make_figure(
        drawing,
        "time_to_target",
        TITLE,
        _write_caption(shown),
        _write_alt(summary, shown),
        COLUMNS,
        _list_rows(summary, shown),
    )


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
        shares = [
            100 * count / variant.num_trials for count in _count_arrivals(variant, num_epochs)
        ]
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
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    if num_epochs <= 10:
        axes.set_xticks(range(num_epochs + 1))
    axes.spines["bottom"].set_color(GRID)
    label_line_ends(axes, ends)


def _count_arrivals(variant: ArrivalSummary, num_epochs: int) -> list[int]:
    """How many trials have arrived after 0, 1, ..., `num_epochs` epochs."""
    arrivals = variant.convergence.arrival_epochs if variant.convergence else ()
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


def _write_alt(summary: RunSummary, shown: Sequence[ArrivalSummary]) -> str:
    parts = []
    for variant in shown:
        where = f" on {variant.device}" if len(summary.study.devices) > 1 else ""
        target = write_percent(summary.time_to_target.targets[variant.device] or 0.0)
        text = (
            f"{_count_arrived(variant)} of {write_count(variant.num_trials, 'trial')} of "
            f"{variant.variant}{where} reach {target}"
        )
        median = variant.convergence.epochs.value if variant.convergence else None
        if median is not None:
            text += f", the median one by epoch {median:g}"
        parts.append(text)
    return f"Share of trials that have reached the target, by epoch: {join_parts(parts)}."


def _list_rows(summary: RunSummary, shown: Sequence[ArrivalSummary]) -> list[tuple[Cell, ...]]:
    steps = summary.time_to_target.steps_per_epoch
    return [
        (
            variant.device,
            variant.variant,
            summary.time_to_target.targets[variant.device],
            epoch,
            epoch * steps,
            count,
            variant.num_trials,
            count / variant.num_trials,
        )
        for variant in shown
        for epoch, count in enumerate(_count_arrivals(variant, summary.study.recipe.epochs))
    ]
