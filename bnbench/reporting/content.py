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
    constants: str = ""
    """What holds for every row, said once above the table: ``device cpu, engine native``."""
    links: tuple[str, ...] = ()
    """The address that the first cell of each row leads to; empty if none does."""

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, str]],
        details: tuple[str, ...] = (),
        qualifiers: tuple[str, ...] = (),
    ) -> Table:
        """Make a table of rows that give each column its text.

        Args:
            rows: at least one, all with the same columns.
            details: columns that a narrow terminal leaves out.
            qualifiers: columns that are said above the table if they are the same in all rows,
                and else beside the row's name; so the results come next to the names.
        """
        listed = list(rows)
        same = [name for name in qualifiers if len({row[name] for row in listed}) == 1]
        name, *columns = [column for column in listed[0] if column not in qualifiers]
        names = [name, *(each for each in qualifiers if each not in same)]
        return cls(
            (", ".join(names), *columns),
            tuple(
                (", ".join(row[each] for each in names), *(row[column] for column in columns))
                for row in listed
            ),
            details,
            ", ".join(f"{each} {listed[0][each]}" for each in same),
        )


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
    ranking: Table | None = None
    """The results in rows, shown below the headline; None where the headline has them all."""
    ranking_title: str = "Best first"
    """What a terminal calls the ranking."""
