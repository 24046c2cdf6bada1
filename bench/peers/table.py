"""From what was measured to the table: medians, ratios within rounds, the check of accuracy."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import pandas as pd

from bench.peers.catalog import LIMIT, REFERENCE
from bench.peers.measure import PeerRecord

FORMAT_VERSION = 2
TOLERANCE = 0.05
"""How far a peer's accuracy may lie from the reference engine's: about three times the spread of
the baseline's seeds after five epochs."""
EARLY_TOLERANCE = 0.35
"""The same before `EARLY_EPOCHS`, when the baseline's seeds lie that far apart."""
EARLY_EPOCHS = 5
INTRODUCTION = """\
# Peers: seconds per epoch and trial

`python -m bench.peers` measured every figure and wrote this file. The figures hold for these small
networks, and for the machine, versions and commit named below. The columns are:

- seconds: training time of one trial per epoch; the median over rounds, with quartiles
- speed: how many times as fast as the reference engine
- limit: how fast, as a share of the speed of the limit, which multiplies the same matrices at the
  rate of one large product; an engine that skips zeros can be above 100 %
- accuracy: on the 10,000 test images after {num_epochs} epochs, the mean over trials
- compile: how much longer the first epoch of all trials took than a later one

Speed and limit are medians of ratios within a round."""


@dataclass(frozen=True)
class PeersReport:
    """A whole measurement."""

    conditions: dict[str, str]
    """Machine, versions, command and the like, in words."""
    records: Sequence[PeerRecord]

    @property
    def num_epochs(self) -> int:
        """Epochs that a trial has trained at the end."""
        return 1 + max(len(record.round_seconds) for record in self.records)

    def summarize_variants(self) -> dict[str, pd.DataFrame]:
        """Summarize the peers of each variant."""
        return {
            variant: summarize_peers(
                [record for record in self.records if record.variant == variant], self.num_epochs
            )
            for variant in dict.fromkeys(record.variant for record in self.records)
        }

    def has_failures(self) -> bool:
        """Tell whether a peer failed or did not learn; a missing one is no failure."""
        tables = self.summarize_variants().values()
        return any((table.problem.notna() & (table.status != "missing")).any() for table in tables)


def summarize_peers(records: Sequence[PeerRecord], num_epochs: int) -> pd.DataFrame:
    """Compute the rows of one variant's table, NaN where there is nothing to compute from.

    Args:
        records: of one variant, with those of `REFERENCE` and `LIMIT`.
        num_epochs: epochs after which the accuracies were measured.
    """
    rounds = frame_rounds(records)
    table = pd.DataFrame([asdict(record) for record in records]).set_index("peer")
    table["seconds"] = rounds.median()
    if len(rounds) > 1:
        table["lower"], table["upper"] = rounds.quantile(0.25), rounds.quantile(0.75)
    else:
        table["lower"] = table["upper"] = math.nan
    table["speed"] = rounds.rdiv(rounds[REFERENCE], axis=0).median()
    table["limit"] = rounds.rdiv(rounds[LIMIT], axis=0).median()
    table["accuracy"] = [fmean(r.accuracies) if r.accuracies else math.nan for r in records]
    beyond = table.first_epoch_seconds.astype(float) - table.seconds * table.num_trials
    table["compile"] = beyond.clip(lower=0).where(table.accuracy.notna())
    tolerance = TOLERANCE if num_epochs >= EARLY_EPOCHS else EARLY_TOLERANCE
    reference_accuracy = table.accuracy[REFERENCE]
    problems = [find_problem(row, reference_accuracy, tolerance) for _, row in table.iterrows()]
    table["problem"] = pd.Series(problems, table.index, dtype=object)
    return table


def frame_rounds(records: Sequence[PeerRecord]) -> pd.DataFrame:
    """Put the seconds of each measured peer into a column, one row per round."""
    return pd.DataFrame(
        {
            record.peer: pd.Series(
                record.round_seconds if record.status == "measured" else (), dtype=float
            )
            for record in records
        }
    )


def find_problem(row: pd.Series, expected: float, tolerance: float) -> str | None:
    """Say why a row's figures are missing or cannot be used; None if all is well."""
    if row.status != "measured":
        return f"{row.status}: {row.reason}"
    if row.name == LIMIT:
        return None
    if math.isnan(expected):
        return "accuracy: not checked, since the reference engine has none"
    if abs(row.accuracy - expected) <= tolerance:
        return None
    return (
        f"accuracy: expected at most {100 * tolerance:g} points from the reference engine's "
        f"{100 * expected:.1f} %, got {100 * row.accuracy:.1f} %"
    )


def render_markdown(report: PeersReport) -> str:
    """Write the whole report in Markdown."""
    parts = [
        INTRODUCTION.format(num_epochs=report.num_epochs),
        "\n".join(f"- {name}: {text}" for name, text in report.conditions.items()),
    ]
    for variant, table in report.summarize_variants().items():
        parts += [f"## {variant}", render_table(table)]
        parts += ["\n".join(f"- {sentence}." for sentence in compare_native(table))]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_table(table: pd.DataFrame) -> str:
    """Write one variant's table in Markdown, with what went wrong in the first cell."""
    lines = [
        "| peer | trials | seconds | quartiles | speed | limit | accuracy | compile |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for _, row in table.iterrows():
        problem = "" if row.problem is None else f" (**{row.problem}**)".replace("|", "\\|")
        cells = [
            row.title + problem,
            f"{row.num_trials}",
            write("{:.3f}", row.seconds),
            write("{:.3f}-{:.3f}", row.lower, row.upper),
            write("{:.2f}x", row.speed),
            write("{:.0f} %", 100 * row.limit),
            write("{:.1f} %", 100 * row.accuracy),
            write("{:.1f} s", row.compile),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(form: str, *values: float) -> str:
    """Write a cell: ``-`` where a value is NaN."""
    return "-" if any(math.isnan(value) for value in values) else form.format(*values)


def compare_native(table: pd.DataFrame) -> Iterator[str]:
    """Say in sentences how many times as fast the native engine is; peers with problems are out."""
    usable = table[table.problem.isna()]
    jax = usable.seconds[usable.index.str.startswith("jax-")]
    pairs = [("native-32", "notebook"), ("native-1", "jax-1")]
    if len(jax):
        pairs.insert(1, ("native-32", jax.idxmin()))
    for pair in pairs:
        if usable.index.isin(pair).sum() == len(pair):
            native, other = (usable.loc[name] for name in pair)
            ratios = pd.Series(other.round_seconds) / pd.Series(native.round_seconds)
            names = [f"{row.title} ({row.num_trials} at once)" for row in (native, other)]
            yield f"{names[0]} is {ratios.median():.2f} times as fast as {names[1]}"


def encode_json(report: PeersReport) -> str:
    """Write the report as JSON, with one line per record."""
    records = ",\n  ".join(json.dumps(asdict(record)) for record in report.records)
    conditions = json.dumps(report.conditions, indent=2)
    return (
        f'{{\n"format_version": {FORMAT_VERSION},\n"conditions": {conditions},\n'
        f'"records": [\n  {records}\n]\n}}\n'
    )
