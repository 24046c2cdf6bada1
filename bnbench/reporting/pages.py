"""A report's files: figures with their data, and the pages in Markdown and HTML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bnbench.files import replace_file
from bnbench.record_tables import write_table
from bnbench.reporting.content import ReportContent
from bnbench.reporting.figures.output import Figure
from bnbench.reporting.html import render_html
from bnbench.reporting.markdown import render_markdown


def write_pages(folder: Path, content: ReportContent, figures: Mapping[str, Figure]) -> None:
    """Write ``report.md``, ``report.html`` and each figure with its data, each file whole."""
    for name, figure in figures.items():
        replace_file(folder / f"{name}.png", figure.png)
        columns = list(figure.rows[0])
        rows = [[row.get(column) for column in columns] for row in figure.rows]
        write_table(folder / f"{name}.csv", columns, rows)
    alt_texts = {name: figure.alt for name, figure in figures.items()}
    replace_file(folder / "report.md", render_markdown(content, alt_texts).encode())
    replace_file(folder / "report.html", render_html(content, figures).encode())
