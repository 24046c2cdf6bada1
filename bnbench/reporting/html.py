"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnbench.reporting.content import ReportContent, Section, Table
    from bnbench.reporting.figures import Figure

LONGEST_NUMBER = 24
"""Characters from which on a cell is taken for a text, which is left-aligned and may wrap."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may load: nothing. The browser holds it to that."""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="{description}">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{css}</style>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
<div class="answer">
{answer}
</div>
</header>
{sections}
</main>
</body>
</html>
"""


def render_html(content: ReportContent, figures: Mapping[str, Figure]) -> str:
    """Write the report as an HTML page.

    In answers and paragraphs, a part between backticks is set as code and a web address becomes
    a link; everything else is text.

    Args:
        content: what the report says.
        figures: by name; a section whose figure is not among them shows none.
    """
    return PAGE.format(
        policy=html.escape(POLICY),
        description=html.escape(" ".join(content.answer)),
        title=html.escape(content.title),
        css=resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8"),
        answer=_write_paragraphs(content.answer),
        sections="\n".join(
            _write_section(section, number, figures)
            for number, section in enumerate(content.sections, start=1)
        ),
    )


def _write_section(section: Section, number: int, figures: Mapping[str, Figure]) -> str:
    """Write a titled section: figure, paragraphs, table, command."""
    heading = f"section-{number}"
    figure = figures.get(section.figure) if section.figure is not None else None
    parts = [
        f'<section aria-labelledby="{heading}">',
        f'<h2 id="{heading}">{html.escape(section.title)}</h2>',
        _write_figure(figure) if figure is not None else "",
        _write_paragraphs(section.paragraphs),
        _write_table(section.table, heading) if section.table is not None else "",
        _write_code(section.code, heading) if section.code is not None else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _write_figure(figure: Figure) -> str:
    caption = _write_inline(figure.caption)
    return f"<figure>\n{figure.svg}<figcaption>{caption}</figcaption>\n</figure>"


def _write_paragraphs(paragraphs: tuple[str, ...]) -> str:
    return "\n".join(f"<p>{_write_inline(paragraph)}</p>" for paragraph in paragraphs)


def _write_inline(text: str) -> str:
    """Escape a text, mark up its code and its web addresses, and keep ``5 %`` on one line."""
    pieces = re.split(r"`([^`]+)`", re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text))
    return "".join(
        f"<code>{html.escape(piece)}</code>" if index % 2 else _write_links(piece)
        for index, piece in enumerate(pieces)
    )


def _write_links(text: str) -> str:
    # An address may hold a full stop or a closing bracket, but seldom ends in one.
    pieces = re.split(r"(https?://[^\s<>\"]*[^\s<>\".,;:!?)\]])", text)
    return "".join(
        f'<a href="{html.escape(piece)}">{html.escape(piece.split("://", 1)[1])}</a>'
        if index % 2
        else html.escape(piece)
        for index, piece in enumerate(pieces)
    )


def _write_table(table: Table, heading: str) -> str:
    """Write a table that scrolls sideways by itself, and by keyboard, where it is too wide."""
    columns = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.columns)
    css = [
        ' class="text"' if any(len(cell) > LONGEST_NUMBER for cell in column) else ""
        for column in columns
    ]
    head = "".join(
        f'<th scope="col"{kind}>{html.escape(column)}</th>'
        for column, kind in zip(table.columns, css, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{kind}>{html.escape(cell)}</th>'
            if place == 0
            else f"<td{kind}>{html.escape(cell)}</td>"
            for place, (cell, kind) in enumerate(zip(row, css, strict=True))
        )
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="table" role="region" aria-labelledby="{heading}" tabindex="0">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _write_code(code: str, heading: str) -> str:
    return (
        f'<pre role="region" aria-labelledby="{heading}" tabindex="0">'
        f"<code>{html.escape(code.strip())}</code></pre>"
    )
