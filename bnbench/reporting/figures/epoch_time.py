"""Seconds of training per epoch: each epoch, the median and quartiles, and the outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from bnbench.reporting.figures.canvas import (
    SMALL_FONT_SIZE,
    Panel,
    draw_marks,
    make_panels,
    write_at,
    write_heading,
    write_x_label,
)
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import MUTED, SeriesStyle, style_series
from bnbench.reporting.sections.epoch_time import select_timed
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import LONGEST_NAME, format_count, format_seconds, shorten_name
from bnbench.stats import EpochTime

TITLE = "Time per epoch"
ROW_HEIGHT = 0.72
"""Inches of a variant's row: a line of text and its dots."""
FARTHEST = 1.5
"""An outlier is drawn in its place up to this many times the slowest usual epoch."""
GOLDEN_RATIO = 0.618033988749895


@dataclass(frozen=True)
class Timing:
    """The epochs of one variant that one engine trained on one device, one trial at a time."""

    device: str
    engine: str
    variant: str
    time: EpochTime
    epochs: tuple[tuple[int, int, float], ...]
    """Seed, epoch from 1, seconds of training; at least one."""

    def write_label(self, longest: int = LONGEST_NAME) -> str:
        """Write the variant's name, cut to so many characters, and the median."""
        median = format_seconds(self.time.median_seconds)
        return f"{shorten_name(self.variant, longest)}, median {median}"

    def is_slow(self, seconds: float) -> bool:
        """Whether an epoch of so many seconds is an outlier."""
        return self.time.limit_seconds is not None and seconds > self.time.limit_seconds


def draw_epoch_time(summary: RunSummary, trials: RunTrials) -> Figure | None:
    """Draw one panel per device and engine; None where no times were compared."""
    groups = _group_timings(summary, trials)
    if not groups:
        return None
    layout = [Panel(ROW_HEIGHT * len(group)) for group in groups]
    drawing, panels = make_panels(TITLE, layout, right=0.2, left=0.1)
    labels = {}
    for axes, group in zip(panels, groups, strict=True):
        _draw_timings(axes, group, style_series(summary.study.variants))
        where = f"{group[0].engine} engine on {group[0].device}"
        labels[where] = [timing.write_label() for timing in group]
        write_heading(axes, where)
        write_x_label(axes, "seconds of training per epoch")
    timings = [timing for group in groups for timing in group]
    caption, rows = _write_caption(timings), _list_rows(timings)
    return make_figure(drawing, "epoch_time", caption, labels, rows)


def _group_timings(summary: RunSummary, trials: RunTrials) -> list[list[Timing]]:
    """The timings that the summary compares, by device and engine, each variant once."""
    groups: dict[tuple[str, str], dict[str, Timing]] = {}
    for contrast in summary.epoch_time:
        where = (contrast.device, contrast.engine)
        names = (contrast.baseline, contrast.candidate)
        times = (contrast.result.baseline, contrast.result.candidate)
        timed = select_timed(trials, contrast.purpose, *where, names)
        for name, time, records in zip(names, times, timed, strict=True):
            epochs = tuple(
                (record.trial.seed, epoch.epoch, epoch.train_seconds)
                for record in records
                if trials.is_timed(record)
                for epoch in record.epochs
            )
            if epochs:
                timing = Timing(*where, name, time, epochs)
                groups.setdefault(where, {}).setdefault(name, timing)
    return [list(group.values()) for group in groups.values()]


def _draw_timings(axes: Axes, timings: Sequence[Timing], styles: dict[str, SeriesStyle]) -> None:
    """Draw the timings of one engine on one device, a row each, from 0 seconds on."""
    farthest = _find_farthest(timings)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, farthest)
    # A row is one unit high: its text between 0 and 0.4, its dots around 0.66.
    axes.set_ylim(len(timings), 0)
    axes.yaxis.set_major_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    for row, timing in enumerate(timings):
        style = styles[timing.variant]
        _draw_epochs(axes, timing, style, row + 0.66, farthest)
        _draw_quartiles(axes, timing.time, style, row + 0.66)
        _write_row(axes, timing, style, row, farthest)


def _find_farthest(timings: Sequence[Timing]) -> float:
    """Where the axis ends: beyond all usual epochs, and near outliers too."""
    pairs = [(timing, seconds) for timing in timings for _, _, seconds in timing.epochs]
    usual = max(seconds for timing, seconds in pairs if not timing.is_slow(seconds))
    return 1.06 * max(seconds for _, seconds in pairs if seconds <= FARTHEST * usual)


def _draw_epochs(
    axes: Axes, timing: Timing, style: SeriesStyle, middle: float, farthest: float
) -> None:
    """Draw each epoch as a dot and each outlier as a cross, scattered so that all are visible."""
    usual: list[tuple[float, float]] = []
    slow: list[tuple[float, float]] = []
    for index, (_, _, seconds) in enumerate(timing.epochs):
        if seconds <= farthest:
            y = middle + 0.34 * ((index * GOLDEN_RATIO) % 1 - 0.5)
            (slow if timing.is_slow(seconds) else usual).append((seconds, y))
    alpha = min(max(15 / len(timing.epochs), 0.2), 0.6)
    draw_marks(axes, usual, "o", 3.6, style.color, 2, markeredgewidth=0, alpha=alpha)
    draw_marks(axes, slow, "x", 5.5, style.color, 2, markeredgewidth=1.3)


def _draw_quartiles(axes: Axes, time: EpochTime, style: SeriesStyle, middle: float) -> None:
    lower, upper = time.lower_quartile_seconds, time.upper_quartile_seconds
    median = time.median_seconds
    if lower is None or upper is None or median is None:
        return
    box = Rectangle((lower, middle - 0.24), upper - lower, 0.48, fill=False, zorder=3)
    box.set(edgecolor=style.color, linewidth=1.3)
    axes.add_patch(box)
    axes.plot(
        [median, median],
        [middle - 0.28, middle + 0.28],
        color=style.color,
        linewidth=2,
        solid_capstyle="butt",
        zorder=4,
    )


def _write_row(axes: Axes, timing: Timing, style: SeriesStyle, row: int, farthest: float) -> None:
    beyond = [seconds for _, _, seconds in timing.epochs if seconds > farthest]
    label = timing.write_label(12 if beyond else LONGEST_NAME)
    write_at(axes, label, 0, row + 0.2, style.color)
    if beyond:
        text = f"{len(beyond)} beyond, up to {format_seconds(max(beyond))} →"
        write_at(axes, text, 1, row + 0.2, MUTED, SMALL_FONT_SIZE, ha="right")


def _write_caption(timings: Sequence[Timing]) -> str:
    text = (
        "Each dot is one epoch, without evaluation. The vertical line is the median; the box spans "
        "the quartiles."
    )
    num_slow = sum(len(timing.time.outliers) for timing in timings)
    if num_slow:
        text += (
            f" {format_count(num_slow, 'epoch')} took much longer than usual (crosses, or beyond "
            "the axis); they count in every number."
        )
    return text


def _list_rows(timings: Sequence[Timing]) -> list[Row]:
    rows: list[Row] = []
    for timing in timings:
        key: Row = {"device": timing.device, "engine": timing.engine, "variant": timing.variant}
        quartiles = {
            "lower quartile": timing.time.lower_quartile_seconds,
            "median": timing.time.median_seconds,
            "upper quartile": timing.time.upper_quartile_seconds,
        }
        rows.extend(
            {**key, "series": series, "seed": None, "epoch": None, "train_seconds": seconds}
            for series, seconds in quartiles.items()
        )
        for seed, epoch, seconds in timing.epochs:
            series = "slow epoch" if timing.is_slow(seconds) else "epoch"
            mark: Row = {"series": series, "seed": seed, "epoch": epoch, "train_seconds": seconds}
            rows.append(key | mark)
    return rows
