"""Seconds of training per epoch of two variants, trained one trial at a time in alternation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench import stats
from bnbench.records import TrialRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials, make_generator
from bnbench.reporting.wording import format_count, format_number, format_seconds, name_variant
from bnbench.specs import ENGINE_NAMES, REFERENCE_ENGINE, EngineName, Purpose

TIMED: tuple[tuple[Purpose, EngineName], ...] = (
    *(("time", engine) for engine in ENGINE_NAMES),
    ("score", REFERENCE_ENGINE),
)
"""Purpose and engine of the trials that were trained one at a time."""
EQUAL_TIME = 0.10
"""Two times are called about as long if the whole interval of their ratio is within this of 1."""


@dataclass(frozen=True)
class TimeContrast:
    """Time per epoch of two variants with one engine on one device."""

    purpose: Purpose
    device: str
    engine: EngineName
    baseline: str
    candidate: str
    result: stats.EpochTimeComparison


def summarize_epoch_time(trials: RunTrials) -> tuple[TimeContrast, ...]:
    """Compare each candidate with the baseline, for each engine that was timed."""
    contrasts = []
    for baseline, candidate, device in trials.contrasts:
        for purpose, engine in TIMED:
            names = (baseline.name, candidate.name)
            timed = select_timed(trials, purpose, device, engine, names)
            seeds = sorted(record.trial.seed for record in timed[0])
            if seeds:
                tables = [trials.tabulate(records, seeds).train_seconds for records in timed]
                result = stats.compare_epoch_time(tables[0], tables[1], make_generator())
                contrasts.append(TimeContrast(purpose, device, engine, *names, result))
    return tuple(contrasts)


def select_timed(
    trials: RunTrials, purpose: str, device: str, engine: str, variants: Sequence[str]
) -> list[list[TrialRecord]]:
    """Select the trials of seeds that finished an epoch in every variant, one list per variant."""
    found = [
        [record for record in trials.select(purpose, name, device, engine) if record.epochs]
        for name in variants
    ]
    seeds = set.intersection(*({record.trial.seed for record in records} for records in found))
    return [[r for r in records if r.trial.seed in seeds] for records in found]


def compose_epoch_time(contrasts: Sequence[TimeContrast]) -> Section | None:
    """The section of the report, or None where no times were compared."""
    if not contrasts:
        return None
    rows = [
        (
            name,
            contrast.device,
            contrast.engine,
            format_seconds(time.median_seconds),
            f"{format_seconds(time.lower_quartile_seconds)} – "
            f"{format_seconds(time.upper_quartile_seconds)}",
            str(time.num_epochs),
            str(len(time.outliers)),
        )
        for contrast in contrasts
        for name, time in (
            (contrast.baseline, contrast.result.baseline),
            (contrast.candidate, contrast.result.candidate),
        )
    ]
    return Section(
        "Time per epoch",
        tuple(_analyze_times(contrast) for contrast in contrasts),
        figure="epoch_time",
        table=Table(
            ("variant", "device", "engine", "median", "quartiles", "epochs", "outliers"),
            tuple(dict.fromkeys(rows)),
            details=("quartiles", "epochs", "outliers"),
        ),
        in_terminal=True,
    )


def say_epoch_time(contrasts: Sequence[TimeContrast]) -> str | None:
    """Compare the times in a plain PyTorch loop; None where the reference engine was not timed."""
    for contrast in contrasts:
        if contrast.engine == REFERENCE_ENGINE and contrast.result.ratio.value is not None:
            return _say_ratio(contrast, contrast.result.ratio, contrast.result.ratio.value)
    return None


def _say_ratio(contrast: TimeContrast, ratio: stats.Estimate, value: float) -> str:
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    where = f"in a plain PyTorch loop on {contrast.device}"
    percent = f"{abs(value - 1) * 100:.0f} % {'longer' if value >= 1 else 'less time'}"
    if ratio.low is None or ratio.high is None:
        return (
            f"The median epoch of {candidate} took {percent} than that of {baseline} {where}; "
            "there are too few trials for an interval."
        )
    interval = f"[{(ratio.low - 1) * 100:+.0f} %, {(ratio.high - 1) * 100:+.0f} %]"
    if not ratio.low <= 1 <= ratio.high:
        return f"An epoch of {candidate} takes {percent} than one of {baseline} {interval} {where}."
    if ratio.low >= 1 - EQUAL_TIME and ratio.high <= 1 + EQUAL_TIME:
        return (
            f"An epoch of {candidate} takes about as long as one of {baseline}: "
            f"{(value - 1) * 100:+.0f} % {interval} {where}."
        )
    return (
        f"The times of an epoch of {candidate} and of {baseline} can't be told apart: "
        f"{(value - 1) * 100:+.0f} % {interval} {where}."
    )


def _analyze_times(contrast: TimeContrast) -> str:
    result = contrast.result
    text = (
        f"{contrast.engine} engine on {contrast.device}: an epoch of "
        f"{name_variant(contrast.candidate)} takes {format_number(result.ratio)} times as long as "
        f"one of {name_variant(contrast.baseline)}. This is the ratio of the medians over "
        f"{format_count(result.ratio.count, 'pair')} of trials, run one at a time in alternation. "
        f"The ratio within pairs is {format_number(result.paired_ratio)}."
    )
    num_slow = len(result.baseline.outliers) + len(result.candidate.outliers)
    if num_slow:
        text += (
            f" {format_count(num_slow, 'epoch')} took much longer than usual; summary.json lists "
            "them, and every figure and number includes them."
        )
    return text
