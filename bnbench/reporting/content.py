"""The report as content: titles, sentences and tables, before they are written as a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of finished texts; the first column is left-aligned, the others right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    details: tuple[str, ...] = ()
    """Columns that a terminal of 80 characters has no room for."""

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, str]], details: tuple[str, ...] = ()) -> Table:
        """Make a table of rows that give each column its text; at least one, all with the same."""
        listed = list(rows)
        return cls(tuple(listed[0]), tuple(tuple(row.values()) for row in listed), details)


@dataclass(frozen=True)
class Section:
    """A titled part of the report: a figure, then paragraphs, then a table."""

    title: str
    paragraphs: tuple[str, ...] = ()
    figure: str | None = None
    """Name of the figure shown here, a key of what `draw_figures` returns."""
    table: Table | None = None
    code: str | None = None
    """A command to copy."""
    in_terminal: bool = False
    """Whether the table is also printed at the end of a run."""


@dataclass(frozen=True)
class ReportContent:
    """Everything a report says, in order."""

    title: str
    answer: tuple[str, ...]
    """Paragraphs; the first one is the headline."""
    sections: tuple[Section, ...]
