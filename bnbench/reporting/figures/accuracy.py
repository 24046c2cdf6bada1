"""Test accuracy by epoch: the mean of each variant, its interval, and every trial."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bnbench.records import TrialRecord
from bnbench.reporting.figures.canvas import (
    Panel,
    draw_marks,
    label_line_ends,
    make_panels,
    measure_labels,
    write_heading,
)
from bnbench.reporting.figures.curve import draw_curve, set_epochs
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import SeriesStyle, style_series
from bnbench.reporting.sections.accuracy import VariantSummary
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import (
    format_count,
    format_percent,
    shorten_name,
)

TITLE = "Test accuracy by epoch"


def draw_accuracy(summary: RunSummary, trials: RunTrials) -> Figure | None:
    """Draw one panel per device; None where no scored trial finished an epoch."""
    shown = [variant for variant in summary.accuracy.variants if _list_means(variant)]
    if not shown:
        return None
    styles = style_series(summary.study.variants)
    by_device = {device: list(group) for device, group in groupby(shown, lambda v: v.device)}
    rows = _list_rows(shown, trials)
    drawn = [row.get(column) for row in rows for column in ("test_accuracy", "low", "high")]
    percents = [100 * value for value in drawn if isinstance(value, float)]
    margin = max(0.05 * (max(percents) - min(percents)), 0.5)
    labels = {device: [_write_label(v) for v in group] for device, group in by_device.items()}
    drawing, panels = make_panels(TITLE, [Panel(2.9)] * len(by_device), measure_labels(labels))
    for axes, (device, variants) in zip(panels, by_device.items(), strict=True):
        for variant in variants:
            style = styles[variant.variant]
            records = [r for r in trials.select("score", variant.variant, device) if r.epochs]
            for record in records:
                _draw_trial(axes, record, style, len(records))
            draw_curve(axes, [epoch.mean for epoch in variant.curve], style, factor=100)
        # The same percentages on all panels, so that devices can be compared.
        axes.set_ylim(max(min(percents) - margin, -1.0), min(max(percents) + margin, 101.0))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        _label_means(axes, variants, styles, summary.study.recipe.epochs)
        where = f"{device}: " if len(by_device) > 1 else ""
        write_heading(axes, f"{where}test accuracy, %")
    caption = _write_caption(summary, shown)
    return make_figure(drawing, "accuracy", caption, labels, rows)


def _draw_trial(axes: Axes, record: TrialRecord, style: SeriesStyle, num_trials: int) -> None:
    """Draw one trial faintly; a dot where a line would have no length, a cross where it failed."""
    epochs = [epoch.epoch for epoch in record.epochs]
    accuracy = [100 * epoch.test_accuracy for epoch in record.epochs]
    alpha = min(max(5 / num_trials, 0.12), 0.45)
    (line,) = axes.plot(epochs, accuracy, color=style.color, linewidth=0.8, alpha=alpha, zorder=2)
    if len(epochs) == 1:
        line.set(marker="o", markersize=4, markeredgewidth=0)
    if record.status == "failed":
        end = [(epochs[-1], accuracy[-1])]
        draw_marks(axes, end, "x", 6, style.color, 4, markeredgewidth=1.4)


def _label_means(
    axes: Axes,
    variants: Sequence[VariantSummary],
    styles: dict[str, SeriesStyle],
    num_epochs: int,
) -> None:
    """Set the epochs' axis, and label each mean at its last epoch."""
    set_epochs(axes, num_epochs)
    ends = []
    for variant in variants:
        epoch, mean = _list_means(variant)[-1]
        early = "" if epoch == num_epochs else f"\nat epoch {epoch}"
        ends.append((epoch, mean, _write_label(variant) + early, styles[variant.variant].color))
    label_line_ends(axes, ends)


def _list_means(variant: VariantSummary) -> list[tuple[int, float]]:
    """The epochs that any trial finished with their mean accuracy in percent."""
    return [
        (summary.epoch, 100 * summary.mean.value)
        for summary in variant.curve
        if summary.mean.value is not None
    ]


def _write_label(variant: VariantSummary) -> str:
    _, mean = _list_means(variant)[-1]
    return f"{shorten_name(variant.variant)}\n{format_percent(mean / 100, 1)}"


def _write_caption(summary: RunSummary, shown: Sequence[VariantSummary]) -> str:
    if any(variant.num_trials > 1 for variant in shown):
        sentences = [
            "Strong lines are means over trials and bands the means' "
            f"{100 * shown[0].curve[0].mean.confidence:g} % intervals; each faint line is one "
            "trial."
        ]
    else:
        sentences = ["Each line is a single trial, so there is no interval."]
    for variant in summary.accuracy.variants:
        where = f" on {variant.device}" if len(summary.study.devices) > 1 else ""
        if variant not in shown:
            sentences.append(f"No trial of {variant.variant} finished an epoch{where}.")
        elif variant.num_failed:
            sentences.append(
                f"{variant.num_failed} of {format_count(variant.num_trials, 'trial')} of "
                f"{variant.variant} failed{where}; a cross marks where one ended, and later means "
                "leave it out."
            )
    return " ".join(sentences)


def _list_rows(shown: Sequence[VariantSummary], trials: RunTrials) -> list[Row]:
    rows: list[Row] = []
    for variant in shown:
        key = {"device": variant.device, "variant": variant.variant}
        rows.extend(
            {
                **key,
                "series": "mean",
                "seed": None,
                "epoch": epoch.epoch,
                "test_accuracy": epoch.mean.value,
                "low": epoch.mean.low,
                "high": epoch.mean.high,
            }
            for epoch in variant.curve
            if epoch.mean.value is not None
        )
        rows.extend(
            {
                **key,
                "series": "trial",
                "seed": record.trial.seed,
                "epoch": epoch.epoch,
                "test_accuracy": epoch.test_accuracy,
            }
            for record in trials.select("score", variant.variant, variant.device)
            for epoch in record.epochs
        )
    return rows
