"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from bnbench.reporting.content import ReportContent, Section, Table


def render_markdown(content: ReportContent, figures: Mapping[str, str]) -> str:
    """Write the content as Markdown.

    Args:
        content: what the report says.
        figures: alternative text of each figure by its name; figure NAME lies in ``NAME.png``.
    """
    headline, *rest = map(_escape, content.answer)
    lines = [f"# {_escape(content.title)}", "", f"**{headline}**", ""]
    if content.ranking is not None:
        lines += [*_render_table(content.ranking), ""]
    for paragraph in rest:
        lines += [paragraph, ""]
    for section in content.sections:
        lines.extend(_render_section(section, figures))
    return "\n".join(lines).rstrip() + "\n"


def _render_section(section: Section, figures: Mapping[str, str]) -> list[str]:
    lines = [f"## {_escape(section.title)}", ""]
    if section.figure is not None and section.figure in figures:
        lines += [f"![{_escape(figures[section.figure])}]({section.figure}.png)", ""]
    for paragraph in section.paragraphs:
        lines += [_escape(paragraph), ""]
    if section.table is not None:
        lines += [*_render_table(section.table), ""]
    if section.code is not None:
        lines += ["```sh", section.code, "```", ""]
    return lines


def _render_table(table: Table) -> list[str]:
    above = [_escape(f"For all rows: {table.constants}."), ""] if table.constants else []
    alignments = ["---", *["---:"] * (len(table.columns) - 1)]
    return [
        *above,
        *("| " + " | ".join(map(_escape, cells)) + " |" for cells in (table.columns, alignments)),
    ] + ["| " + " | ".join(cells) + " |" for cells in _list_rows(table)]


def _list_rows(table: Table) -> list[list[str]]:
    """The cells of each row; the first is a link if the table has links."""
    rows = [list(map(_escape, row)) for row in table.rows]
    if table.links:
        rows = [
            [f"[{name}]({link})", *cells]
            for (name, *cells), link in zip(rows, table.links, strict=True)
        ]
    return rows


def _escape(text: str) -> str:
    """Keep what would be read as Markdown from being read so."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("\n", " ")
