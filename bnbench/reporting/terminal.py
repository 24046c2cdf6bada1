"""The report in a terminal: the main tables, then the answer."""

from __future__ import annotations

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table as RichTable

from bnbench.reporting.content import ReportContent, Table
from bnbench.reporting.sections.models import TITLE as MODELS_TITLE


def print_content(content: ReportContent, console: Console) -> None:
    """Print the main tables, then the answer, with the ranking below its headline."""
    for section in content.sections:
        if section.table is not None and section.in_terminal:
            console.print(_lay_out(section.title, section.table))
    for place, sentence in enumerate(content.answer):
        console.print(sentence, highlight=False, markup=False)
        if place == 0 and content.ranking is not None:
            console.print(_lay_out(content.ranking_title, content.ranking))
    console.print()


def print_agreement(content: ReportContent, console: Console) -> None:
    """Print what is proven about the models, then how each runtime agrees."""
    for section in content.sections:
        if section.title == MODELS_TITLE and section.table is not None:
            for paragraph in section.paragraphs[1:]:
                console.print(paragraph, highlight=False, markup=False)
            console.print(_lay_out("", section.table))


def print_rows(table: Table, console: Console) -> None:
    """Print each row of a table as a block of lines, which fits any width."""
    for row in table.rows:
        console.print(f"{row[0]} on {row[1]}", highlight=False, markup=False)
        for column, text in zip(table.columns[2:], row[2:], strict=True):
            console.print(f"  {column}: {text}", highlight=False, markup=False)


def _lay_out(title: str, table: Table) -> RichTable:
    title = f"{title} ({table.constants})" if table.constants else title
    laid_out = RichTable(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    shown = []
    for index, column in enumerate(table.columns):
        if column not in table.details:
            shown.append(index)
            # Only a name may wrap.
            kind: JustifyMethod = "right" if shown[1:] else "left"
            laid_out.add_column(column, justify=kind, no_wrap=bool(shown[1:]), overflow="fold")
    for row in table.rows:
        laid_out.add_row(*(row[index] for index in shown))
    return laid_out
