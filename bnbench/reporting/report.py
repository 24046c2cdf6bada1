"""Writing all files of a run's report: trials → summary → content → pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnbench.records import TrialRecord
from bnbench.reporting.answer import compose_answer
from bnbench.reporting.background import (
    compose_environment,
    compose_method,
    compose_reproduction,
)
from bnbench.reporting.content import ReportContent, Section
from bnbench.reporting.figures import Figure, draw_figures
from bnbench.reporting.focus import focus
from bnbench.reporting.pages import write_pages
from bnbench.reporting.sections.accuracy import compose_accuracy
from bnbench.reporting.sections.epoch_time import compose_epoch_time
from bnbench.reporting.sections.failures import compose_failures
from bnbench.reporting.sections.inside import compose_gradients, compose_inputs
from bnbench.reporting.sections.losses import compose_losses
from bnbench.reporting.sections.mistakes import compose_disagreements, compose_mistakes
from bnbench.reporting.sections.models import compose_models
from bnbench.reporting.sections.ranking import compose_effects, tabulate_ranking
from bnbench.reporting.sections.rates import compose_rates
from bnbench.reporting.sections.spread import compose_spread, say_shares
from bnbench.reporting.sections.time_to_target import compose_time_to_target
from bnbench.reporting.summary import RunSummary, summarize_run
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import join_words
from bnbench.store import RunStore

SUMMARY_FORMAT_VERSION = 4

SECTIONS: tuple[Callable[[RunSummary, RunSummary], Section | None], ...] = (
    lambda summary, shown: compose_effects(summary.ranking, shown.study),
    lambda summary, shown: compose_accuracy(summary.accuracy, summary.study, shown.accuracy),
    lambda summary, _: compose_spread(summary.spread, summary.data.num_test_images),
    lambda summary, _: compose_rates(summary.rates, summary.study, summary.data),
    lambda _, shown: compose_time_to_target(shown.time_to_target, shown.study),
    lambda summary, _: compose_epoch_time(summary.epoch_time),
    lambda _, shown: compose_losses(shown.losses),
    lambda _, shown: compose_mistakes(shown.mistakes, shown.inspection),
    lambda _, shown: compose_disagreements(shown.inspection),
    lambda _, shown: compose_inputs(shown.inspection),
    lambda _, shown: compose_gradients(
        shown.inspection,
        {
            each.variant: each.learning_rate
            for each in shown.accuracy.variants
            if each.device == shown.study.devices[0]
        },
    ),
    lambda summary, _: compose_models(summary.models),
    lambda summary, _: compose_failures(summary.failures),
    lambda summary, _: compose_method(summary),
    lambda summary, _: compose_environment(summary),
    lambda summary, _: compose_reproduction(summary),
)
"""The report's sections in their order; a section without content is left out.

Each gets the summary, and one of the variants that are shown singly.
"""


@dataclass(frozen=True, eq=False)
class Report:
    """A run's report before it is written: its numbers, its texts and its figures."""

    summary: RunSummary
    content: ReportContent
    figures: dict[str, Figure]
    """By name, in the report's order."""


def make_report(store: RunStore, records: Sequence[TrialRecord]) -> Report:
    """Make a run's report from its files, without writing any; the arguments are as below."""
    summary = summarize_run(store, records)
    trials = RunTrials(store.study, store.data, tuple(records))
    content = compose_report(summary, focus(summary, trials)[0])
    return Report(summary, content, draw_figures(summary, trials))


def write_report(store: RunStore, records: Sequence[TrialRecord]) -> Report:
    """Write ``summary.json``, ``report.md``, ``report.html`` and each figure with its data.

    The same run folder gives the same bytes.

    Args:
        store: the run.
        records: all of its trials.
    """
    report = make_report(store, records)
    store.write_epochs(records)
    summarized = dataclasses.asdict(report.summary)
    del summarized["inspection"]  # a file of its own
    answer = report.content.answer
    store.write_json(
        "summary.json", {"format_version": SUMMARY_FORMAT_VERSION, "answer": answer, **summarized}
    )
    write_pages(store.folder, report.content, report.figures)
    return report


def compose_report(summary: RunSummary, shown: RunSummary | None = None) -> ReportContent:
    """Put the whole report together; `shown` has the variants that are shown singly, if not all."""
    shown = _drop_verdicts(summary if shown is None else shown)
    summary = _drop_verdicts(summary)
    names = join_words([variant.name for variant in summary.study.variants])
    if len(summary.study.variants) > len(shown.study.variants):
        names = f"{len(summary.study.variants)} variants"
    sections = (compose(summary, shown) for compose in SECTIONS)
    return ReportContent(
        title=f"{names} on {summary.data.name}: the {summary.study.name} study",
        answer=compose_answer(summary),
        sections=tuple(section for section in sections if section is not None),
        ranking=tabulate_ranking(summary.ranking, summary.accuracy, summary.epoch_time),
    )


def _drop_verdicts(summary: RunSummary) -> RunSummary:
    """Leave out what compares accuracies where variants differ in what is random.

    A variant with a fixed seed has the mean accuracy of that seed, and is no technique.
    """
    if say_shares(summary.spread) is None:
        return summary
    accuracy = dataclasses.replace(summary.accuracy, contrasts=())
    return dataclasses.replace(summary, accuracy=accuracy, ranking=())
