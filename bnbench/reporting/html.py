"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from importlib import resources

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
    parts = [
        f'<section aria-labelledby="{heading}">',
        f'<h2 id="{heading}">{html.escape(section.title)}</h2>',
    ]
    if section.figure is not None and section.figure in figures:
        figure = figures[section.figure]
        caption = _write_inline(figure.caption)
        parts.append(f"<figure>\n{figure.svg}<figcaption>{caption}</figcaption>\n</figure>")
    if section.paragraphs:
        parts.append(_write_paragraphs(section.paragraphs))
    if section.table is not None:
        parts.append(_write_table(section.table, heading))
    if section.code is not None:
        code = html.escape(section.code)
        parts.append(
            f'<pre role="region" aria-labelledby="{heading}" tabindex="0"><code>{code}</code></pre>'
        )
    return "\n".join([*parts, "</section>"])


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
    kinds = [
        ' class="text"' if any(len(row[place]) > LONGEST_NUMBER for row in table.rows) else ""
        for place in range(len(table.columns))
    ]
    head = ['th scope="col"'] * len(kinds)
    body = ['th scope="row"', *["td"] * (len(kinds) - 1)]
    rows = "\n".join(_write_row(row, kinds, body) for row in table.rows)
    return (
        f'<div class="table" role="region" aria-labelledby="{heading}" tabindex="0">\n<table>\n'
        f"<thead>{_write_row(table.columns, kinds, head)}</thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table>\n</div>"
    )


def _write_row(cells: Sequence[str], kinds: Sequence[str], tags: Sequence[str]) -> str:
    written = (
        f"<{tag}{kind}>{html.escape(cell)}</{tag[:2]}>"
        for cell, kind, tag in zip(cells, kinds, tags, strict=True)
    )
    return f"<tr>{''.join(written)}</tr>"
