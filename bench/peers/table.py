"""The table, as the terminal and as Markdown show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.markup import escape
from rich.table import Table

from bench.peers.summary import PeerSummary, describe_native

MISSING = "-"
LEGEND = (
    "seconds per epoch per trial, the median over rounds, with quartiles; speed as a multiple of "
    "the reference engine's; share of the limit's speed; test accuracy; compiling"
)
"""What the columns hold."""


@dataclass(frozen=True)
class Column:
    """A column: its heading and how a row's cell is written."""

    heading: str
    write: Callable[[PeerSummary], str]
    align: str = "right"


def _write_number(value: float | None, form: str) -> str:
    return MISSING if value is None else form.format(value)


def _write_quartiles(row: PeerSummary) -> str:
    if row.quartiles is None:
        return MISSING
    return f"{row.quartiles[0]:.3f}-{row.quartiles[1]:.3f}"


def _write_share(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.0f} %"


def _write_accuracy(row: PeerSummary) -> str:
    return MISSING if row.accuracy is None else f"{100 * row.accuracy:.1f} %"


COLUMNS = (
    Column("peer", lambda row: row.record.peer.title, "left"),
    Column("trials", lambda row: str(row.record.peer.num_trials)),
    Column("seconds", lambda row: _write_number(row.median_seconds, "{:.3f}")),
    Column("quartiles", _write_quartiles),
    Column("speed", lambda row: _write_number(row.speed_up, "{:.2f}x")),
    Column("limit", lambda row: _write_share(row.share_of_limit)),
    Column("accuracy", _write_accuracy),
    Column("compile", lambda row: _write_number(row.compile_seconds, "{:.1f} s")),
)


def build_table(variant: str, summaries: Sequence[PeerSummary]) -> Table:
    """The table of one variant for a terminal of 80 columns."""
    table = Table(title=variant, title_justify="left", box=None, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    for column in COLUMNS:
        justify: Literal["left", "right"] = "left" if column.align == "left" else "right"
        table.add_column(column.heading, justify=justify, no_wrap=True)
    for row in _select(summaries, variant):
        style = "red" if row.is_failure else "dim" if row.problem is not None else None
        table.add_row(*(escape(column.write(row)) for column in COLUMNS), style=style)
    return table


def list_problems(variant: str, summaries: Sequence[PeerSummary]) -> list[str]:
    """What is wrong with the rows of one variant, a line each."""
    return [
        f"{row.record.peer.name}: {row.problem}"
        for row in _select(summaries, variant)
        if row.problem is not None
    ]


def render_markdown_table(variant: str, summaries: Sequence[PeerSummary]) -> str:
    """The table of one variant in Markdown; what went wrong stands in its first cell."""
    lines = [
        "| " + " | ".join(column.heading for column in COLUMNS) + " |",
        "| " + " | ".join("---" if c.align == "left" else "---:" for c in COLUMNS) + " |",
    ]
    for row in _select(summaries, variant):
        cells = [column.write(row) for column in COLUMNS]
        if row.problem is not None:
            cells[0] += f" (**{row.problem}**)" if row.is_failure else f" ({row.problem})"
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def list_sentences(variants: Sequence[str], summaries: Sequence[PeerSummary]) -> list[str]:
    """The comparisons in words, of all variants."""
    return [sentence for variant in variants for sentence in describe_native(summaries, variant)]


def _select(summaries: Sequence[PeerSummary], variant: str) -> list[PeerSummary]:
    return [row for row in summaries if row.record.variant == variant]
