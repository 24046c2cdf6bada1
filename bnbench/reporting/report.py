"""Writing all files of a report, from nothing but what the run folder holds."""

from __future__ import annotations

import dataclasses

from bnbench.reporting.compose import compose_report
from bnbench.reporting.content import ReportContent
from bnbench.reporting.figures import draw_figures
from bnbench.reporting.html import render_html
from bnbench.reporting.markdown import render_markdown
from bnbench.reporting.sections.nodes import keep_times_of_one_node
from bnbench.reporting.summary import summarize_run
from bnbench.store import RunStore

SUMMARY_FORMAT_VERSION = 2


def write_report(store: RunStore) -> ReportContent:
    """Write ``summary.json``, ``report.md``, ``report.html`` and each figure with its data.

    The same run folder gives the same bytes.
    """
    records = store.read_trials()
    summary = summarize_run(store)
    content = compose_report(summary)
    figures = draw_figures(summary, keep_times_of_one_node(records)[0])
    store.write_epochs(records)
    for name, figure in figures.items():
        store.write_bytes(f"{name}.png", figure.png)
        store.write_table(f"{name}.csv", figure.columns, figure.rows)
    store.write_json(
        "summary.json",
        {
            "format_version": SUMMARY_FORMAT_VERSION,
            "answer": content.answer,
            **dataclasses.asdict(summary),
        },
    )
    alt_texts = {name: figure.alt for name, figure in figures.items()}
    store.write_bytes("report.md", render_markdown(content, alt_texts).encode())
    store.write_bytes("report.html", render_html(content, figures).encode())
    return content
