"""A mean by epoch with its interval, as a line in a band, and the axis of epochs."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from bnbench.reporting.figures.canvas import mark_epochs
from bnbench.reporting.figures.palette import SeriesStyle
from bnbench.stats import Estimate

MOST_MARKED_EPOCHS = 20


def draw_curve(
    axes: Axes, means: Sequence[Estimate], style: SeriesStyle, factor: float = 1.0
) -> tuple[int, float]:
    """Draw a mean by epoch, from epoch 1 on, and its interval.

    Args:
        axes: the panel.
        means: one per epoch; at least one has a value.
        style: of the series.
        factor: from the estimates' unit to the panel's.

    Returns:
        The last epoch with a value, and that value in the panel's unit.
    """
    known = [(epoch, factor * e.value) for epoch, e in enumerate(means, 1) if e.value is not None]
    band = [
        (epoch, factor * e.low, factor * e.high)
        for epoch, e in enumerate(means, 1)
        if e.low is not None and e.high is not None
    ]
    if len(band) == 1:
        epoch, low, high = band[0]
        axes.plot([epoch, epoch], [low, high], color=style.color, linewidth=1.2, zorder=3)
    elif band:
        epochs, lows, highs = zip(*band, strict=True)
        axes.fill_between(epochs, lows, highs, color=style.color, alpha=0.25, linewidth=0, zorder=3)
    axes.plot(
        *zip(*known, strict=True),
        color=style.color,
        linewidth=2,
        linestyle=style.dashes,
        marker=style.marker if len(known) <= MOST_MARKED_EPOCHS else "",
        markersize=5,
        zorder=5,
    )
    return known[-1]


def set_epochs(axes: Axes, num_epochs: int) -> None:
    """Set the axis of epochs, with a little room at both ends."""
    pad = min(max(0.04 * (num_epochs - 1), 0.04), 0.5)
    # A single epoch stands at the right, next to its labels.
    axes.set_xlim(0.6 if num_epochs == 1 else 1 - pad, num_epochs + pad)
    mark_epochs(axes, range(1, num_epochs + 1), "epoch")
