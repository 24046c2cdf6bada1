"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from importlib import resources

from bnbench.reporting.content import ReportContent, Section, Table
from bnbench.reporting.figures import Figure

LONGEST_NUMBER = 24
"""Characters from which on a cell beside the names is a text, left-aligned, that may wrap."""

MOST_COLUMNS = 5
"""Columns of a table up to which a section without a figure may stand beside another one."""
MOST_ROWS = 12
"""Rows of a table up to which it is printed on one page."""

WIDE = ' class="wide"'
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
<h1 id="title">{title}</h1>
<div class="answer">
{headline}
{ranking}
{answer}
</div>
</header>
<div class="sections">
{sections}
</div>
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
        headline=_write_paragraphs(content.answer[:1]),
        ranking="" if content.ranking is None else _write_table(content.ranking, "title"),
        answer=_write_paragraphs(content.answer[1:]),
        sections="\n".join(
            _write_section(section, number, figures)
            for number, section in enumerate(content.sections, start=1)
        ),
    )


FRAGMENT = """\
<div style="background: #fff; color: #1a1a1a; padding: 0.5em 1em; max-width: 54em">
<h3 id="bnbench-title">{title}</h3>
<div style="font-weight: bold">{headline}</div>
{ranking}
{answer}
{figures}
</div>
"""


def render_fragment(content: ReportContent, figures: Mapping[str, Figure]) -> str:
    """Write the answer and the figures for a page of another's, such as a notebook.

    The figures are images, since several reports may share the page. The first one is open.

    Args:
        content: what the report says.
        figures: by name.
    """
    shown = [
        (section.title, figures[section.figure])
        for section in content.sections
        if section.figure is not None and section.figure in figures
    ]
    return FRAGMENT.format(
        title=html.escape(content.title),
        headline=_write_paragraphs(content.answer[:1]),
        ranking="" if content.ranking is None else _write_table(content.ranking, "bnbench-title"),
        answer=_write_paragraphs(content.answer[1:]),
        figures="\n".join(
            _write_image(title, figure, is_open=not number)
            for number, (title, figure) in enumerate(shown)
        ),
    )


def _write_image(title: str, figure: Figure, is_open: bool) -> str:
    image = base64.b64encode(figure.png).decode()
    return (
        f"<details{' open' if is_open else ''}><summary>{html.escape(title)}</summary>\n"
        f'<img src="data:image/png;base64,{image}" alt="{html.escape(figure.alt)}" '
        f'style="max-width: 100%">\n<p>{_write_inline(figure.caption)}</p></details>'
    )


def _write_section(section: Section, number: int, figures: Mapping[str, Figure]) -> str:
    """Write a titled section: figure, paragraphs, table, command."""
    heading, table = f"section-{number}", section.table
    has_figure = section.figure is not None and section.figure in figures
    is_wide = table is not None and len(table.columns) > MOST_COLUMNS and not has_figure
    parts = [
        f'<section{WIDE if is_wide else ""} aria-labelledby="{heading}">',
        f'<h2 id="{heading}">{html.escape(section.title)}</h2>',
    ]
    if section.figure is not None and has_figure:
        figure = figures[section.figure]
        caption = _write_inline(figure.caption)
        parts.append(f"<figure>\n{figure.svg}<figcaption>{caption}</figcaption>\n</figure>")
    if section.paragraphs:
        parts.append(_write_paragraphs(section.paragraphs))
    if table is not None:
        parts.append(_write_table(table, heading))
    if section.code is not None:
        code = html.escape(section.code)
        parts.append(
            f'<pre role="region" aria-labelledby="{heading}" tabindex="0"><code>{code}</code></pre>'
        )
    return "\n".join([*parts, "</section>"])


def _write_paragraphs(paragraphs: tuple[str, ...]) -> str:
    return "\n".join(f"<p>{_write_inline(paragraph)}</p>" for paragraph in paragraphs)


def _write_inline(text: str) -> str:
    """Escape a text, and mark up its code and its web addresses."""
    pieces = re.split(r"`([^`]+)`", _keep_numbers_whole(text))
    return "".join(
        f"<code>{html.escape(piece)}</code>" if index % 2 else _write_links(piece)
        for index, piece in enumerate(pieces)
    )


def _keep_numbers_whole(text: str) -> str:
    """Keep ``5 %`` and ``[1, 2]`` on one line."""
    return re.sub(
        r"\[[-+.\d][^\[\]]*\]|(?<=\d) (?=%)",
        lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"),
        text,
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
        ' class="text"'
        if place and any(len(row[place]) > LONGEST_NUMBER for row in table.rows)
        else ""
        for place in range(len(table.columns))
    ]
    head = ['th scope="col"'] * len(kinds)
    body = ['th scope="row"', *["td"] * (len(kinds) - 1)]
    links = table.links or [None] * len(table.rows)
    rows = "\n".join(
        _write_row(row, kinds, body, link) for row, link in zip(table.rows, links, strict=True)
    )
    kind = " ".join(
        ["table"]
        + ["short"] * (len(table.rows) <= MOST_ROWS)
        + ["many"] * (len(table.columns) > MOST_COLUMNS)
    )
    above = f'<p class="constants">For all rows: {html.escape(table.constants)}.</p>\n'
    return (above if table.constants else "") + (
        f'<div class="{kind}" role="region" aria-labelledby="{heading}" tabindex="0">\n<table>\n'
        f"<thead>{_write_row(table.columns, kinds, head)}</thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table>\n</div>"
    )


def _write_row(
    cells: Sequence[str], kinds: Sequence[str], tags: Sequence[str], link: str | None = None
) -> str:
    texts = [_write_cell(cell, tag) for cell, tag in zip(cells, tags, strict=True)]
    if link is not None:
        texts[0] = f'<a href="{html.escape(link)}">{texts[0]}</a>'
    written = (
        f"<{tag}{kind}>{text}</{tag[:2]}>"
        for text, kind, tag in zip(texts, kinds, tags, strict=True)
    )
    return f"<tr>{''.join(written)}</tr>"


def _write_cell(text: str, tag: str) -> str:
    """Escape a cell's text; a heading may wrap after each ``_`` of a variant's name."""
    escaped = html.escape(_keep_numbers_whole(text))
    return escaped.replace("_", "_<wbr>") if tag.startswith("th") else escaped
