"""Test accuracy by epoch: the mean of each variant, its interval, and every trial."""

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
from bnbench.reporting.figures.palette import SeriesStyle, style_series
from bnbench.reporting.figures.wording import (
    join_parts,
    shorten_name,
    write_count,
    write_estimate,
    write_percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bnbench.records import TrialRecord
    from bnbench.reporting.figures.figure import Cell, Figure
    from bnbench.reporting.sections.accuracy import VariantSummary
    from bnbench.reporting.summary import RunSummary
    from bnbench.reporting.trials import RunTrials

TITLE = "Test accuracy by epoch"
COLUMNS = ("device", "variant", "series", "seed", "epoch", "test_accuracy", "low", "high")
MOST_MARKED_EPOCHS = 20


def draw_accuracy(summary: RunSummary, trials: RunTrials) -> Figure | None:
    """Draw accuracy by epoch, a panel a device; None where no scored trial finished an epoch."""
    shown = [variant for variant in summary.accuracy.variants if _list_means(variant)]
    devices = [d for d in summary.study.devices if any(v.device == d for v in shown)]
    if not devices:
        return None
    styles = style_series(tuple(variant.name for variant in summary.study.variants))
    scored = [
        record for record in trials.records if record.trial.purpose == "score" and record.epochs
    ]
    right = max(measure_text(_write_label(variant)) for variant in shown) + LABEL_GUTTER + EDGE
    drawing, panels = make_panels(TITLE, [Panel(2.9)] * len(devices), 0.5, right)
    low, high = _find_limits(shown, scored)
    for axes, device in zip(panels, devices, strict=True):
        of_device = [variant for variant in shown if variant.device == device]
        of_panel = [record for record in scored if record.trial.device == device]
        _draw_panel(axes, of_device, of_panel, styles, summary.study.recipe.epochs)
        axes.set_ylim(low, high)
        _label_means(axes, of_device, styles, summary.study.recipe.epochs)
        where = f"{device}: " if len(devices) > 1 else ""
        write_heading(axes, f"{where}test accuracy, %")
    return make_figure(
        drawing,
        "accuracy",
        TITLE,
        _write_caption(summary, shown),
        _write_alt(summary, shown),
        COLUMNS,
        _list_rows(shown, scored),
    )


def _draw_panel(
    axes: Axes,
    variants: Sequence[VariantSummary],
    trials: Sequence[TrialRecord],
    styles: dict[str, SeriesStyle],
    num_epochs: int,
) -> None:
    for variant in variants:
        style = styles[variant.variant]
        of_variant = [trial for trial in trials if trial.trial.variant.name == variant.variant]
        for record in of_variant:
            accuracy = [100 * epoch.test_accuracy for epoch in record.epochs]
            _draw_trial(axes, record, accuracy, style, len(of_variant))
        _draw_mean(axes, variant, style)
    pad = min(max(0.04 * (num_epochs - 1), 0.04), 0.5)
    # A single epoch stands at the right, next to its labels.
    axes.set_xlim(0.6 if num_epochs == 1 else 1 - pad, num_epochs + pad)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    if num_epochs <= 10:
        axes.set_xticks(range(1, num_epochs + 1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    write_x_label(axes, "epoch")


def _find_limits(
    shown: Sequence[VariantSummary], scored: Sequence[TrialRecord]
) -> tuple[float, float]:
    """The percentages that all panels span, so that devices can be compared."""
    bounds = [
        bound
        for variant in shown
        for summary in variant.curve
        for bound in (summary.mean.low, summary.mean.high, summary.mean.value)
        if bound is not None
    ]
    reached = [epoch.test_accuracy for record in scored for epoch in record.epochs]
    low, high = 100 * min(bounds + reached), 100 * max(bounds + reached)
    margin = max(0.05 * (high - low), 0.5)
    return max(low - margin, -1.0), min(high + margin, 101.0)


def _label_means(
    axes: Axes,
    variants: Sequence[VariantSummary],
    styles: dict[str, SeriesStyle],
    num_epochs: int,
) -> None:
    ends = []
    for variant in variants:
        epoch, mean = _list_means(variant)[-1]
        label = _write_label(variant)
        if epoch < num_epochs:
            label += f"\nat epoch {epoch}"
        ends.append((epoch, mean, label, styles[variant.variant].color))
    label_line_ends(axes, ends)


def _draw_trial(
    axes: Axes, record: TrialRecord, accuracy: list[float], style: SeriesStyle, num_trials: int
) -> None:
    """Draw one trial faintly; a dot where a line would have no length, a cross where it failed."""
    epochs = [epoch.epoch for epoch in record.epochs]
    alpha = min(max(5 / num_trials, 0.12), 0.45)
    (line,) = axes.plot(epochs, accuracy, color=style.color, linewidth=0.8, alpha=alpha, zorder=2)
    if len(epochs) == 1:
        line.set(marker="o", markersize=4, markeredgewidth=0)
    if record.status == "failed":
        axes.plot(
            epochs[-1:],
            accuracy[-1:],
            color=style.color,
            linestyle="none",
            marker="x",
            markersize=6,
            markeredgewidth=1.4,
            zorder=4,
        )


def _draw_mean(axes: Axes, variant: VariantSummary, style: SeriesStyle) -> None:
    means = _list_means(variant)
    band = [
        (summary.epoch, 100 * summary.mean.low, 100 * summary.mean.high)
        for summary in variant.curve
        if summary.mean.low is not None and summary.mean.high is not None
    ]
    if len(band) == 1:
        epoch, low, high = band[0]
        axes.plot([epoch, epoch], [low, high], color=style.color, linewidth=1.2, zorder=3)
    elif band:
        epochs, lows, highs = zip(*band, strict=True)
        axes.fill_between(epochs, lows, highs, color=style.color, alpha=0.25, linewidth=0, zorder=3)
    axes.plot(
        [epoch for epoch, _ in means],
        [mean for _, mean in means],
        color=style.color,
        linewidth=2,
        linestyle=style.dashes,
        marker=style.marker if len(means) <= MOST_MARKED_EPOCHS else "",
        markersize=5,
        zorder=5,
    )


def _list_means(variant: VariantSummary) -> list[tuple[int, float]]:
    """The epochs that any trial finished with their mean accuracy in percent."""
    return [
        (summary.epoch, 100 * summary.mean.value)
        for summary in variant.curve
        if summary.mean.value is not None
    ]


def _write_label(variant: VariantSummary) -> str:
    _, mean = _list_means(variant)[-1]
    return f"{shorten_name(variant.variant)}\n{write_percent(mean / 100)}"


def _write_caption(summary: RunSummary, shown: Sequence[VariantSummary]) -> str:
    sentences = []
    if any(variant.num_trials > 1 for variant in shown):
        confidence = shown[0].curve[0].mean.confidence
        sentences.append(
            "Strong lines are means over trials and bands the means' "
            f"{100 * confidence:g} % intervals; each faint line is one trial."
        )
    else:
        sentences.append("Each line is a single trial, so there is no interval.")
    sentences.extend(
        f"{variant.num_failed} of {write_count(variant.num_trials, 'trial')} of {variant.variant} "
        f"failed{_write_device(summary, variant)}; a cross marks where one ended, and later means "
        "leave it out."
        for variant in shown
        if variant.num_failed
    )
    sentences.extend(
        f"No trial of {variant.variant} finished an epoch{_write_device(summary, variant)}."
        for variant in summary.accuracy.variants
        if variant not in shown
    )
    return " ".join(sentences)


def _write_alt(summary: RunSummary, shown: Sequence[VariantSummary]) -> str:
    parts = []
    for variant in shown:
        present = [epoch for epoch in variant.curve if epoch.mean.value is not None]
        first, last = present[0], present[-1]
        text = f"{variant.variant}{_write_device(summary, variant)} "
        if first is not last:
            text += f"goes from {write_estimate(first.mean)} after epoch {first.epoch} to "
        else:
            text += "is at "
        text += f"{write_estimate(last.mean)} after epoch {last.epoch}"
        parts.append(f"{text}, over {write_count(last.mean.count, 'trial')}")
    return f"Mean test accuracy by epoch: {join_parts(parts)}."


def _write_device(summary: RunSummary, variant: VariantSummary) -> str:
    return f" on {variant.device}" if len(summary.study.devices) > 1 else ""


def _list_rows(
    shown: Sequence[VariantSummary], scored: Sequence[TrialRecord]
) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for variant in shown:
        key = (variant.device, variant.variant)
        rows.extend(
            (*key, "mean", None, s.epoch, s.mean.value, s.mean.low, s.mean.high)
            for s in variant.curve
            if s.mean.value is not None
        )
        rows.extend(
            (*key, "trial", record.trial.seed, epoch.epoch, epoch.test_accuracy, None, None)
            for record in scored
            if (record.trial.device, record.trial.variant.name) == key
            for epoch in record.epochs
        )
    return rows
