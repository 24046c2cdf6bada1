"""The table, as the terminal and as Markdown show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from bench.peers.summary import PeerSummary, describe_native

MISSING = "-"


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
    return f"{row.quartiles[0]:.3f} to {row.quartiles[1]:.3f}"


def _write_share(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.0f} %"


def _write_accuracy(row: PeerSummary) -> str:
    return MISSING if row.accuracy is None else f"{100 * row.accuracy:.1f} %"


COLUMNS = (
    Column("peer", lambda row: row.record.peer.title, "left"),
    Column("trials at once", lambda row: str(row.record.peer.num_trials)),
    Column("s / epoch / trial", lambda row: _write_number(row.median_seconds, "{:.3f}")),
    Column("quartiles", _write_quartiles),
    Column("speed over reference", lambda row: _write_number(row.speed_up, "{:.2f}x")),
    Column("of the limit", lambda row: _write_share(row.share_of_limit)),
    Column("accuracy", _write_accuracy),
    Column("compile s", lambda row: _write_number(row.compile_seconds, "{:.1f}")),
)


def build_table(variant: str, summaries: Sequence[PeerSummary]) -> Table:
    """The table of one variant for the terminal; what went wrong is in red below its row."""
    table = Table(title=variant, title_justify="left", caption_justify="left")
    for column in COLUMNS:
        table.add_column(column.heading, justify="left" if column.align == "left" else "right")
    for row in _select(summaries, variant):
        cells = [escape(column.write(row)) for column in COLUMNS]
        if row.problem is not None:
            style = "red" if row.is_failure else "yellow"
            cells[0] += f"\n[{style}]{escape(row.problem)}[/]"
        table.add_row(*cells)
    return table


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
