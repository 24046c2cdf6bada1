"""Writing all files of a run's report: trials → summary → content → pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from bnbench.record_tables import write_table
from bnbench.records import TrialRecord
from bnbench.reporting.answer import compose_answer
from bnbench.reporting.background import (
    compose_environment,
    compose_method,
    compose_reproduction,
)
from bnbench.reporting.content import ReportContent, Section
from bnbench.reporting.figures import draw_figures
from bnbench.reporting.html import render_html
from bnbench.reporting.markdown import render_markdown
from bnbench.reporting.sections.accuracy import compose_accuracy
from bnbench.reporting.sections.epoch_time import compose_epoch_time
from bnbench.reporting.sections.failures import compose_failures
from bnbench.reporting.sections.inside import compose_gradients, compose_inputs
from bnbench.reporting.sections.losses import compose_losses
from bnbench.reporting.sections.mistakes import compose_disagreements, compose_mistakes
from bnbench.reporting.sections.models import compose_models
from bnbench.reporting.sections.ranking import compose_effects, tabulate_ranking
from bnbench.reporting.sections.rates import compose_rates
from bnbench.reporting.sections.time_to_target import compose_time_to_target
from bnbench.reporting.summary import RunSummary, summarize_run
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import join_words
from bnbench.store import RunStore

SUMMARY_FORMAT_VERSION = 4

SECTIONS: tuple[Callable[[RunSummary], Section | None], ...] = (
    lambda summary: compose_effects(summary.ranking),
    lambda summary: compose_accuracy(summary.accuracy, summary.study),
    lambda summary: compose_rates(summary.rates, summary.study),
    lambda summary: compose_time_to_target(summary.time_to_target, summary.study),
    lambda summary: compose_epoch_time(summary.epoch_time),
    lambda summary: compose_losses(summary.losses),
    lambda summary: compose_mistakes(summary.mistakes, summary.inspection),
    lambda summary: compose_disagreements(summary.inspection),
    lambda summary: compose_inputs(summary.inspection),
    lambda summary: compose_gradients(
        summary.inspection,
        {
            each.variant: each.learning_rate
            for each in summary.accuracy.variants
            if each.device == summary.study.devices[0]
        },
    ),
    lambda summary: compose_models(summary.models),
    lambda summary: compose_failures(summary.failures),
    compose_method,
    compose_environment,
    compose_reproduction,
)
"""The report's sections in their order; a section without content is left out."""


def write_report(store: RunStore, records: Sequence[TrialRecord]) -> ReportContent:
    """Write ``summary.json``, ``report.md``, ``report.html`` and each figure with its data.

    The same run folder gives the same bytes.

    Args:
        store: the run.
        records: all of its trials.
    """
    summary = summarize_run(store, records)
    content = compose_report(summary)
    figures = draw_figures(summary, RunTrials(store.study, store.data, tuple(records)))
    store.write_epochs(records)
    for name, figure in figures.items():
        store.write_bytes(f"{name}.png", figure.png)
        columns = list(figure.rows[0])
        rows = [[row.get(column) for column in columns] for row in figure.rows]
        write_table(store.folder / f"{name}.csv", columns, rows)
    summarized = dataclasses.asdict(summary)
    del summarized["inspection"]  # a file of its own
    store.write_json(
        "summary.json",
        {"format_version": SUMMARY_FORMAT_VERSION, "answer": content.answer, **summarized},
    )
    alt_texts = {name: figure.alt for name, figure in figures.items()}
    store.write_bytes("report.md", render_markdown(content, alt_texts).encode())
    store.write_bytes("report.html", render_html(content, figures).encode())
    return content


def compose_report(summary: RunSummary) -> ReportContent:
    """Put the whole report together."""
    names = join_words([variant.name for variant in summary.study.variants])
    sections = (compose(summary) for compose in SECTIONS)
    return ReportContent(
        title=f"{names} on {summary.data.name}: the {summary.study.name} study",
        answer=compose_answer(summary),
        sections=tuple(section for section in sections if section is not None),
        ranking=tabulate_ranking(summary.ranking, summary.accuracy, summary.epoch_time),
    )
