"""The page that leads a series: the answer in rows, computed from its members' run folders."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bnbench.errors import RunError
from bnbench.files import replace_file
from bnbench.records import DataRecord
from bnbench.reporting.content import ReportContent, Section
from bnbench.reporting.figures.budget import draw_budget
from bnbench.reporting.figures.output import Figure, use_settings
from bnbench.reporting.figures.schedules import draw_schedules
from bnbench.reporting.pages import write_pages
from bnbench.reporting.sections.budget import (
    SearchSummary,
    compose_search,
    select_searches,
    summarize_search,
)
from bnbench.reporting.sections.failures import summarize_failures
from bnbench.reporting.sections.recipes import (
    RecipeSummary,
    compose_spread,
    list_answer,
    summarize_recipe,
    tabulate_recipes,
)
from bnbench.reporting.sections.schedules import (
    ScheduleSummary,
    compose_schedules,
    summarize_schedules,
)
from bnbench.reporting.series_answer import compose_series_answer
from bnbench.reporting.terminal import print_content
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import format_count, join_words
from bnbench.series import SeriesRecord, read_series
from bnbench.store import RunStore
from bnbench.tuning import find_rates

SUMMARY_FORMAT_VERSION = 1


@dataclass(frozen=True)
class SeriesSummary:
    """What the page of a series says."""

    series: SeriesRecord
    data: DataRecord
    names: tuple[str, str]
    """Of the baseline and the candidate."""
    rows: tuple[RecipeSummary, ...]
    left_out: tuple[str, ...]
    """Members without a row, each with its reason."""
    search: SearchSummary | None
    schedules: tuple[ScheduleSummary, ...]


def write_series_report(folder: Path) -> str:
    """Write ``report.html``, ``report.md``, ``summary.json`` and the figures of a series.

    The same member folders give the same bytes. Members that are missing or unfinished are left
    out, and the page says so.

    Args:
        folder: has ``series.json`` and a run folder per member.

    Returns:
        The answer for the terminal.

    Raises:
        RunError: there is no series, no member is finished, a member is damaged, or the members
            differ in data or in variants.
    """
    summary = summarize_series(folder)
    content = compose_series_report(summary)
    write_pages(folder, content, _draw(summary))
    text = json.dumps(_make_json(summary, content), indent=2, allow_nan=False)
    replace_file(folder / "summary.json", f"{text}\n".encode())
    printed = io.StringIO()
    print_content(content, Console(file=printed))
    return printed.getvalue()


def summarize_series(folder: Path) -> SeriesSummary:
    """Compute everything that the page of a series says; raises as `write_series_report`."""
    series = read_series(folder)
    rows: list[RecipeSummary] = []
    runs: list[RunTrials] = []
    left_out: list[str] = []
    for name in series.runs:
        if not (folder / name / "run.json").exists():
            left_out.append(f"{name} (not run yet)")
            continue
        store = RunStore.open(folder / name)
        records = store.read_trials()
        trials = RunTrials(store.study, store.data, tuple(records), num_studies=len(series.runs))
        rates = find_rates(store, records)
        num_pending = summarize_failures(trials, store.engines, rates).num_pending
        if num_pending:
            left_out.append(f"{name} ({format_count(num_pending, 'trial')} missing)")
            continue
        _check_member(folder, name, trials, runs)
        runs.append(trials)
        rows.append(summarize_recipe(name, trials, rates))
    if not runs:
        raise RunError(
            f"{folder}: expected a finished member, got none: {'; '.join(left_out)}; resume the "
            "series, which runs what is missing"
        )
    searches = select_searches(runs)
    baseline, candidate = (variant.name for variant in runs[0].study.variants[:2])
    return SeriesSummary(
        series=series,
        data=runs[0].data,
        names=(baseline, candidate),
        rows=tuple(rows),
        left_out=tuple(left_out),
        search=summarize_search(searches),
        schedules=summarize_schedules(searches),
    )


def compose_series_report(summary: SeriesSummary) -> ReportContent:
    """Put the whole page together."""
    names = summary.names
    sections = (
        compose_search(summary.search),
        compose_schedules(summary.schedules),
        compose_spread(summary.rows, names),
        _compose_method(),
    )
    return ReportContent(
        title=f"{join_words(names)} on {summary.data.name}: the {summary.series.name} series",
        answer=compose_series_answer(
            summary.rows, names, summary.left_out, len(summary.series.runs)
        ),
        sections=tuple(section for section in sections if section is not None),
        ranking=tabulate_recipes(summary.rows, names),
        ranking_title="The answer in rows",
    )


def _check_member(folder: Path, name: str, trials: RunTrials, others: list[RunTrials]) -> None:
    """Refuse a member whose row says something else than the rows above."""
    found = [variant.name for variant in trials.study.variants]
    if len(found) < 2:
        raise RunError(
            f"{folder / name}: expected two variants to compare, got {found[0]}; take it out of "
            "series.json"
        )
    for other in others[:1]:
        wanted = [variant.name for variant in other.study.variants]
        if not trials.data.is_same(other.data) or found[:2] != wanted[:2]:
            raise RunError(
                f"{folder / name}: expected {join_words(wanted[:2])} on {other.data.name} as in "
                f"the first member, got {join_words(found[:2])} on {trials.data.name}; take it out "
                "of series.json"
            )


def _draw(summary: SeriesSummary) -> dict[str, Figure]:
    with use_settings():
        drawn = {
            "budget": draw_budget(summary.search),
            "schedules": draw_schedules(summary.schedules),
        }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _compose_method() -> Section:
    return Section(
        "Method",
        (
            "Each row of the table leads to the report of its run, which has the accuracies by "
            "epoch, the times, the exported models, the method and the environment. The rows here "
            "compare the first two variants of each run on its first device, seed by seed.",
        ),
    )


def _make_json(summary: SeriesSummary, content: ReportContent) -> dict[str, Any]:
    return {
        "format_version": SUMMARY_FORMAT_VERSION,
        "name": summary.series.name,
        "headline": content.answer[0],
        "answer": list_answer(summary.rows),
        "left_out": list(summary.left_out),
        "rows": [dataclasses.asdict(row) for row in summary.rows],
        "search": None if summary.search is None else dataclasses.asdict(summary.search),
    }
