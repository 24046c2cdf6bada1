"""Accuracy by learning rate on one device: means, intervals and every trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bnbench.reporting.figures.canvas import SMALL_FONT_SIZE, write_x_label
from bnbench.reporting.figures.palette import MUTED, PAPER
from bnbench.reporting.figures.wording import write_rate
from bnbench.stats import CHANCE_ACCURACY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bnbench.records import TrialRecord
    from bnbench.reporting.figures.palette import SeriesStyle
    from bnbench.reporting.sections.rates import SensitivitySummary


def draw_sensitivities(
    axes: Axes,
    shown: Sequence[SensitivitySummary],
    trials: Sequence[TrialRecord],
    styles: dict[str, SeriesStyle],
) -> None:
    """Draw all variants on one device.

    Args:
        axes: an empty panel.
        shown: the sensitivities of the device's variants.
        trials: tuning trials, those of other devices among them.
        styles: how each variant looks.
    """
    rates = [rate.learning_rate for rate in shown[0].result.rates]
    axes.axhline(100 * CHANCE_ACCURACY, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    axes.annotate(
        "chance",
        (1, 100 * CHANCE_ACCURACY),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL_FONT_SIZE,
        color=MUTED,
        annotation_clip=False,
    )
    for place, sensitivity in enumerate(shown):
        shift = _find_shift(rates, place, len(shown))
        style = styles[sensitivity.variant]
        of_variant = [
            trial
            for trial in trials
            if (trial.trial.variant.name, trial.trial.device)
            == (sensitivity.variant, sensitivity.device)
        ]
        _draw_trials(axes, of_variant, shift, style)
        _draw_means(axes, sensitivity, shift, style)
    axes.set_xscale("log")
    span = math.log10(rates[-1] / rates[0])
    pad = 10 ** (0.05 * span + 0.05)
    axes.set_xlim(rates[0] / pad, rates[-1] * pad)
    subs = (1.0,) if span > 2 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: write_rate(rate)))
    axes.set_ylim(0, 100)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    write_x_label(axes, "learning rate (log scale)")


def _find_shift(rates: Sequence[float], place: int, num_variants: int) -> float:
    """The factor that draws a variant beside the others of the same rate, not upon them."""
    steps = [math.log10(high / low) for low, high in pairwise(rates)]
    offset = (place - (num_variants - 1) / 2) / num_variants
    return 10 ** float(0.36 * min(steps, default=0.3) * offset)


def _draw_trials(
    axes: Axes, trials: Sequence[TrialRecord], shift: float, style: SeriesStyle
) -> None:
    """Draw each trial as a faint dot, and each that failed as a cross at chance level."""
    finished = [trial for trial in trials if trial.status == "finished"]
    failed = [trial for trial in trials if trial.status == "failed"]
    axes.plot(
        [trial.trial.recipe.learning_rate * shift for trial in finished],
        [100 * trial.epochs[-1].test_accuracy for trial in finished],
        color=style.color,
        linestyle="none",
        marker="o",
        markersize=3.6,
        markeredgewidth=0,
        alpha=0.3,
        zorder=2,
    )
    axes.plot(
        [trial.trial.recipe.learning_rate * shift for trial in failed],
        [100 * CHANCE_ACCURACY for _ in failed],
        color=style.color,
        linestyle="none",
        marker="x",
        markersize=6,
        markeredgewidth=1.3,
        zorder=4,
    )


def _draw_means(
    axes: Axes, sensitivity: SensitivitySummary, shift: float, style: SeriesStyle
) -> None:
    result = sensitivity.result
    for rate in result.rates:
        low, high = rate.accuracy.low, rate.accuracy.high
        x = rate.learning_rate * shift
        if low is not None and high is not None and high > low:
            axes.plot(
                [x, x],
                [100 * low, 100 * high],
                color=style.color,
                linewidth=1.1,
                alpha=0.7,
                zorder=3,
            )
        if rate.learning_rate == result.best_rate and rate.accuracy.value is not None:
            axes.plot(
                [x],
                [100 * rate.accuracy.value],
                linestyle="none",
                marker="o",
                markersize=12,
                markerfacecolor="none",
                markeredgecolor=style.color,
                markeredgewidth=1.5,
                zorder=6,
            )
    known = [
        (rate.learning_rate * shift, 100 * rate.accuracy.value)
        for rate in result.rates
        if rate.accuracy.value is not None
    ]
    axes.plot(
        [x for x, _ in known],
        [y for _, y in known],
        color=style.color,
        linewidth=1.8,
        linestyle=style.dashes,
        zorder=5,
    )
    learnt = [
        (rate.learning_rate * shift, 100 * rate.accuracy.value)
        for rate in result.rates
        if rate.accuracy.value is not None and rate.num_diverged < rate.num_trials
    ]
    axes.plot(
        [x for x, _ in learnt],
        [y for _, y in learnt],
        color=style.color,
        linestyle="none",
        marker=style.marker,
        markersize=5,
        markeredgecolor=PAPER,
        markeredgewidth=0.6,
        zorder=6,
    )
