"""Seconds of training per epoch: each epoch, the median and quartiles, and what stands out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bnbench.reporting.figures.canvas import (
    Panel,
    make_panels,
    write_heading,
    write_x_label,
)
from bnbench.reporting.figures.output import make_figure
from bnbench.reporting.figures.palette import style_series
from bnbench.reporting.figures.timing_panel import ROW_HEIGHT, Timing, draw_timings, is_slow
from bnbench.reporting.figures.wording import (
    join_parts,
    write_count,
    write_seconds,
)

if TYPE_CHECKING:
    from bnbench.reporting.figures.figure import Cell, Figure
    from bnbench.reporting.summary import RunSummary
    from bnbench.reporting.trials import RunTrials

TITLE = "Time per epoch"
COLUMNS = ("device", "engine", "variant", "series", "seed", "epoch", "train_seconds")


def draw_epoch_time(summary: RunSummary, trials: RunTrials) -> Figure | None:
    """Draw seconds per epoch, a panel an engine and device; None where nothing was compared."""
    timings = _list_timings(summary, trials)
    groups = list(dict.fromkeys((timing.device, timing.engine) for timing in timings))
    if not groups:
        return None
    styles = style_series(tuple(variant.name for variant in summary.study.variants))
    of_groups = [[t for t in timings if (t.device, t.engine) == group] for group in groups]
    drawing, panels = make_panels(
        TITLE, [Panel(ROW_HEIGHT * len(of_group)) for of_group in of_groups], 0.1, 0.2
    )
    for axes, of_group in zip(panels, of_groups, strict=True):
        draw_timings(axes, of_group, styles)
        write_heading(axes, f"{of_group[0].engine} engine on {of_group[0].device}")
        write_x_label(axes, "seconds of training per epoch")
    return make_figure(
        drawing,
        "epoch_time",
        TITLE,
        _write_caption(timings),
        _write_alt(timings),
        COLUMNS,
        _list_rows(timings),
    )


def _list_timings(summary: RunSummary, trials: RunTrials) -> list[Timing]:
    """The timings that the summary compares, each variant once."""
    timings: dict[tuple[str, str, str], Timing] = {}
    for contrast in summary.epoch_time:
        where = (contrast.device, contrast.engine)
        of_engine = [
            record
            for record in trials.records
            if (record.trial.device, record.trial.engine) == where
            and record.epochs
            and record.trial.purpose != "tune"
        ]
        timed = [record for record in of_engine if record.trial.purpose == "time"] or of_engine
        seeds = [
            {record.trial.seed for record in timed if record.trial.variant.name == name}
            for name in (contrast.baseline, contrast.candidate)
        ]
        for name, time in (
            (contrast.baseline, contrast.result.baseline),
            (contrast.candidate, contrast.result.candidate),
        ):
            epochs = tuple(
                (record.trial.seed, epoch.epoch, epoch.train_seconds)
                for record in timed
                if record.trial.variant.name == name and record.trial.seed in seeds[0] & seeds[1]
                if trials.is_timed(record)
                for epoch in record.epochs
            )
            timings.setdefault((*where, name), Timing(*where, name, time, epochs))
    return list(timings.values())


def _write_caption(timings: Sequence[Timing]) -> str:
    text = (
        "Each dot is one epoch, without evaluation. The vertical line is the median; the box spans "
        "the quartiles."
    )
    num_slow = sum(len(timing.time.outliers) for timing in timings)
    if num_slow:
        text += (
            f" {write_count(num_slow, 'epoch')} took much longer than usual (crosses, or beyond "
            "the axis); they count in every number."
        )
    return text


def _write_alt(timings: Sequence[Timing]) -> str:
    parts = []
    for timing in timings:
        time = timing.time
        text = f"{timing.variant} with the {timing.engine} engine on {timing.device}"
        if (
            time.median_seconds is not None
            and time.lower_quartile_seconds is not None
            and time.upper_quartile_seconds is not None
        ):
            text += (
                f" takes {write_seconds(time.median_seconds)} in the median, half of the epochs "
                f"{write_seconds(time.lower_quartile_seconds)} to "
                f"{write_seconds(time.upper_quartile_seconds)}"
            )
        text += f", over {write_count(time.num_epochs, 'epoch')}"
        if time.outliers:
            slowest = max(outlier.train_seconds for outlier in time.outliers)
            text += f", {len(time.outliers)} of them slow, up to {write_seconds(slowest)}"
        parts.append(text)
    return f"Seconds of training per epoch: {join_parts(parts)}."


def _list_rows(timings: Sequence[Timing]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for timing in timings:
        key = (timing.device, timing.engine, timing.variant)
        time = timing.time
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
            (*key, "slow epoch" if is_slow(timing, seconds) else "epoch", seed, epoch, seconds)
            for seed, epoch, seconds in timing.epochs
        )
    return rows
