"""Seconds of training per epoch: each epoch, the median and quartiles, and the outliers."""

from __future__ import annotations

from collections.abc import Sequence

from bnbench.reporting.figures.canvas import Panel, make_panels, write_heading, write_x_label
from bnbench.reporting.figures.output import Cell, Figure, make_figure
from bnbench.reporting.figures.palette import style_series
from bnbench.reporting.figures.timing_panel import ROW_HEIGHT, Timing, draw_timings
from bnbench.reporting.sections.epoch_time import select_timed
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import format_count

TITLE = "Time per epoch"
COLUMNS = ("device", "engine", "variant", "series", "seed", "epoch", "train_seconds")


def draw_epoch_time(summary: RunSummary, trials: RunTrials) -> Figure | None:
    """Draw one panel per device and engine; None where no times were compared."""
    groups = _group_timings(summary, trials)
    if not groups:
        return None
    layout = [Panel(ROW_HEIGHT * len(group)) for group in groups]
    drawing, panels = make_panels(TITLE, layout, right=0.2, left=0.1)
    labels = {}
    for axes, group in zip(panels, groups, strict=True):
        draw_timings(axes, group, style_series(summary.study.variants))
        where = f"{group[0].engine} engine on {group[0].device}"
        labels[where] = [timing.write_label() for timing in group]
        write_heading(axes, where)
        write_x_label(axes, "seconds of training per epoch")
    timings = [timing for group in groups for timing in group]
    caption, rows = _write_caption(timings), _list_rows(timings)
    return make_figure(drawing, "epoch_time", caption, labels, COLUMNS, rows)


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


def _list_rows(timings: Sequence[Timing]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for timing in timings:
        key, time = (timing.device, timing.engine, timing.variant), timing.time
        rows.extend(
            (*key, series, None, None, seconds)
            for series, seconds in (
                ("lower quartile", time.lower_quartile_seconds),
                ("median", time.median_seconds),
                ("upper quartile", time.upper_quartile_seconds),
            )
            if seconds is not None
        )
        rows.extend(
            (*key, "slow epoch" if timing.is_slow(seconds) else "epoch", seed, epoch, seconds)
            for seed, epoch, seconds in timing.epochs
        )
    return rows
