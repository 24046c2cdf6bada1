"""Loss by epoch: the mean of each variant and its interval, in training and on the test set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from bnbench.reporting.figures.canvas import (
    Panel,
    label_line_ends,
    make_panels,
    measure_labels,
    write_heading,
)
from bnbench.reporting.figures.curve import draw_curve, set_epochs
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import style_series
from bnbench.reporting.sections.losses import TITLE, LossSummary
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import shorten_name
from bnbench.stats import Estimate

KINDS = {"train": "training loss (while training)", "test": "test loss (after the epoch)"}
"""Heading of each panel, by the field of `LossSummary` that it shows."""
LARGEST_LINEAR_RATIO = 20
"""Losses that differ by a larger factor are drawn on a logarithmic scale."""


def draw_losses(summary: RunSummary, _trials: RunTrials) -> Figure | None:
    """Draw two panels per device; None where no scored trial finished an epoch."""
    if not summary.losses:
        return None
    styles, num_epochs = style_series(summary.study.variants), summary.study.recipe.epochs
    groups = [list(group) for _, group in groupby(summary.losses, lambda loss: loss.device)]
    layout = [(group, kind) for group in groups for kind in KINDS]
    places = [
        (f"{group[0].device}: " if len(groups) > 1 else "") + KINDS[kind] for group, kind in layout
    ]
    labels = {
        place: [_write_label(loss, getattr(loss, kind)) for loss in group]
        for place, (group, kind) in zip(places, layout, strict=True)
    }
    drawing, panels = make_panels(TITLE, [Panel(1.9)] * len(layout), measure_labels(labels))
    drawn = [
        end
        for loss in summary.losses
        for estimate in (*loss.train, *loss.test)
        for end in (estimate.value, estimate.low, estimate.high)
        if end is not None
    ]
    for axes, place, (group, kind) in zip(panels, places, layout, strict=True):
        _set_scale(axes, drawn)
        ends = []
        for loss in group:
            means, style = getattr(loss, kind), styles[loss.variant]
            ends.append((*draw_curve(axes, means, style), _write_label(loss, means), style.color))
        set_epochs(axes, num_epochs)
        label_line_ends(axes, ends)
        write_heading(axes, place)
    caption = (
        "Lines are mean cross-entropies over the trials that finished the epoch; bands are the "
        f"means' {100 * summary.losses[0].test[0].confidence:g} % intervals. All panels have the "
        "same scale."
    )
    return make_figure(drawing, "losses", caption, labels, _list_rows(summary.losses))


def _set_scale(axes: Axes, drawn: Sequence[float]) -> None:
    """Give every panel the same losses, so that training and test can be compared."""
    least, greatest = min(drawn), max(drawn)
    if least > 0 and greatest > LARGEST_LINEAR_RATIO * least:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.set_ylim(least / 1.15, greatest * 1.15)
        return
    margin = max(0.06 * (greatest - least), 0.01 * greatest)
    axes.set_ylim(max(least - margin, 0.0), greatest + margin)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))


def _write_label(loss: LossSummary, estimates: Sequence[Estimate]) -> str:
    last = [estimate.value for estimate in estimates if estimate.value is not None][-1]
    return f"{shorten_name(loss.variant)}\n{last:.3g}"


def _list_rows(losses: Sequence[LossSummary]) -> list[Row]:
    return [
        {
            "device": loss.device,
            "variant": loss.variant,
            "series": kind,
            "epoch": epoch,
            "mean_loss": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "num_trials": estimate.count,
        }
        for loss in losses
        for kind in KINDS
        for epoch, estimate in enumerate(getattr(loss, kind), start=1)
    ]
