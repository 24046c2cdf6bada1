"""Seconds of training per epoch of two variants, trained one trial at a time in alternation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench import stats
from bnbench.records import TrialRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials, make_generator
from bnbench.reporting.wording import format_count, format_number, format_together, name_variant
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
                result = stats.compare_epoch_time(
                    tables[0], tables[1], make_generator(), confidence=trials.confidence
                )
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
    return Section(
        "Time per epoch",
        tuple(_analyze_times(contrast) for contrast in contrasts),
        figure="epoch_time",
        table=_tabulate_times(contrasts),
        in_terminal=True,
    )


def say_epoch_time(contrasts: Sequence[TimeContrast], candidate: str) -> str | None:
    """Compare the times in a plain PyTorch loop; None where the reference engine was not timed."""
    contrast = find_plain_contrast(contrasts, candidate)
    return None if contrast is None else _say_ratio(contrast, contrast.result.paired_ratio)


def find_plain_contrast(
    contrasts: Sequence[TimeContrast], candidate: str, device: str | None = None
) -> TimeContrast | None:
    """The candidate's contrast in a plain PyTorch loop, on the first device by default."""
    for contrast in contrasts:
        is_plain = contrast.engine == REFERENCE_ENGINE
        is_timed = contrast.result.paired_ratio.value is not None
        is_theirs = contrast.candidate == candidate and device in (None, contrast.device)
        if is_plain and is_timed and is_theirs:
            return contrast
    return None


def format_ratio(ratio: stats.Estimate) -> str:
    """A ratio of times as a change in percent, with its interval."""
    if ratio.value is None:
        return "not known"
    text = f"{(ratio.value - 1) * 100:+.0f} %"
    if ratio.low is None or ratio.high is None:
        return text
    return f"{text} [{(ratio.low - 1) * 100:+.0f}, {(ratio.high - 1) * 100:+.0f}]"


def _tabulate_times(contrasts: Sequence[TimeContrast]) -> Table:
    """One row per device, engine and variant; times of one engine and device have equal digits."""
    times = {
        (each.device, each.engine, name): time
        for each in contrasts
        for name, time in (
            (each.candidate, each.result.candidate),
            (each.baseline, each.result.baseline),
        )
    }
    rows = []
    for each in contrasts:
        where = (each.device, each.engine)
        shown = {key[-1]: _list_seconds(time) for key, time in times.items() if key[:2] == where}
        texts = format_together([value for values in shown.values() for value in values])
        for name in (each.baseline, each.candidate):
            place, time = 3 * list(shown).index(name), times[*where, name]
            median, lower, upper = texts[place : place + 3]
            row = {
                "variant": name,
                "device": each.device,
                "engine": each.engine,
                "median": f"{median} s",
                "quartiles": f"{lower} – {upper} s",
                "epochs": str(time.num_epochs),
                "outliers": str(len(time.outliers)),
            }
            if row not in rows:
                rows.append(row)
    return Table.from_rows(
        rows, details=("quartiles", "epochs", "outliers"), qualifiers=("engine", "device")
    )


def _list_seconds(time: stats.EpochTime) -> tuple[float | None, ...]:
    return time.median_seconds, time.lower_quartile_seconds, time.upper_quartile_seconds


def _say_ratio(contrast: TimeContrast, ratio: stats.Estimate) -> str:
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    where = f"in a plain PyTorch loop on {contrast.device}"
    change = _say_change(ratio.value or 1.0)
    if ratio.low is None or ratio.high is None:
        return (
            f"An epoch of {candidate} took {change} than one of {baseline} {where}; "
            "there are too few trials for an interval."
        )
    interval = f"[{(ratio.low - 1) * 100:+.0f} %, {(ratio.high - 1) * 100:+.0f} %]"
    if not ratio.low <= 1 <= ratio.high:
        return f"An epoch of {candidate} takes {change} than one of {baseline} {interval} {where}."
    if ratio.low >= 1 - EQUAL_TIME and ratio.high <= 1 + EQUAL_TIME:
        return (
            f"An epoch of {candidate} takes about as long as one of {baseline}: "
            f"{((ratio.value or 1) - 1) * 100:+.0f} % {interval} {where}."
        )
    return (
        f"Their times can't be told apart: an epoch of {candidate} takes between "
        f"{(1 - ratio.low) * 100:.0f} % less and {(ratio.high - 1) * 100:.0f} % more time than one "
        f"of {baseline} {where}."
    )


def _say_change(ratio: float) -> str:
    return f"{abs(ratio - 1) * 100:.0f} % {'longer' if ratio >= 1 else 'less time'}"


def _analyze_times(contrast: TimeContrast) -> str:
    result = contrast.result
    pairs = format_count(result.paired_ratio.count, "pair")
    text = (
        f"{contrast.engine} engine on {contrast.device}: an epoch of "
        f"{name_variant(contrast.candidate)} takes {format_number(result.paired_ratio)} times as "
        f"long as one of {name_variant(contrast.baseline)}. This is the median over {pairs} of "
        "trials that ran one after the other, so a slower hour of the machine counts on both "
        f"sides. The ratio of the medians of all epochs is {format_number(result.ratio)}."
    )
    num_slow = len(result.baseline.outliers) + len(result.candidate.outliers)
    if num_slow:
        text += (
            f" {format_count(num_slow, 'epoch')} took much longer than usual; summary.json lists "
            "them, and every figure and number includes them."
        )
    return text
