"""What ``bnbench gate`` does, step by step, and what it shows."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from bnbench.errors import GateError
from bnbench.files import replace_file
from bnbench.gate import formats, wording
from bnbench.gate.accuracy import AccuracySummary, compare_accuracies, measure_accuracies
from bnbench.gate.error_rates import make_error_rates_json, render_error_rates, replay_error_rates
from bnbench.gate.history import append_document, make_document
from bnbench.gate.measure import measure_until_decided
from bnbench.gate.pairs import PairRunner, SuiteSpec
from bnbench.gate.process import RevisionFolder
from bnbench.gate.recording import describe_recording, extend_recording, read_recording
from bnbench.gate.records import PairRecord
from bnbench.gate.revisions import (
    default_cache_folder,
    find_repository,
    lay_out_revision,
    prune_cache,
)
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.gate.verdict import GateSummary, summarize_gate

ERROR_RATES = "gate-error-rates"


def judge(
    base: str,
    head: str,
    suite: tuple[str, ...],
    spec: GateSpec,
    *,
    setup: str | None,
    accuracy_command: str | None,
    cache_folder: Path | None,
    outputs: dict[str, Path | None],
    history_file: Path | None,
) -> int:
    """Judge head against base; return the exit code."""
    repository = find_repository(Path.cwd())
    cache_folder = (cache_folder or default_cache_folder()).resolve()
    base_folder, head_folder = (
        lay_out_revision(repository, name, cache_folder, setup, sys.executable)
        for name in (base, head)
    )
    prune_cache(cache_folder)
    click.echo(
        f"base {base} ({base_folder.commit[:12]}), head {head} ({head_folder.commit[:12]})",
        err=True,
    )
    with tempfile.TemporaryDirectory(prefix="bnbench-gate-") as folder:
        accuracies: tuple[AccuracySummary, ...] = ()
        if accuracy_command is not None:
            sides = [
                measure_accuracies(revision, accuracy_command, Path(folder) / side)
                for side, revision in (("base", base_folder), ("head", head_folder))
            ]
            accuracies = compare_accuracies(sides[0], sides[1], spec)
        runner = _make_runner(base_folder, head_folder, suite, spec, folder)
        measurement = measure_until_decided(runner, spec, _show_pair)
    summary = summarize_gate(base_folder, head_folder, spec, measurement, accuracies)
    _show(summary)
    write_outputs(summary, outputs)
    if history_file is not None:
        append_document(history_file, make_document(summary, measurement))
    return summary.exit_code


def write_outputs(summary: GateSummary, outputs: dict[str, Path | None]) -> None:
    """Write the files that were asked for, and GitHub's step summary where there is one."""
    contents: dict[str, Any] = {
        "json": formats.make_json(summary),
        "action_benchmark": formats.make_action_benchmark(summary),
        "bencher": formats.make_bencher(summary),
    }
    markdown = formats.render_markdown(summary)
    for name, path in outputs.items():
        if path is None:
            continue
        text = markdown if name == "markdown" else json.dumps(contents[name], indent=2) + "\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, text.encode())
        except OSError as error:
            raise GateError(f"{path}: expected a file that can be written, got: {error}") from None
    step_summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if step_summary:
        with Path(step_summary).open("a", encoding="utf-8") as file:
            file.write(markdown)


def _make_runner(
    base: RevisionFolder,
    head: RevisionFolder,
    suite: tuple[str, ...],
    spec: GateSpec,
    folder: str,
) -> PairRunner:
    suite_spec = SuiteSpec(sys.executable, suite)
    return PairRunner(base, head, suite_spec, spec, Path(folder), random.Random())


def _show_pair(gate: SequentialGate, pair: PairRecord, seconds: float) -> None:
    click.echo(
        f"[{seconds:.0f} s] process pair {gate.num_pairs}: {len(pair.visits)} benchmarks "
        f"measured, {len(gate.active)} undecided",
        err=True,
    )


def _show(summary: GateSummary) -> None:
    console = Console()
    tables = [(wording.COLUMNS, wording.make_rows(summary))]
    if summary.accuracies:
        tables.append((wording.ACCURACY_COLUMNS, wording.make_accuracy_rows(summary)))
    for columns, rows in tables:
        table = Table(box=box.SIMPLE_HEAD)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(cell.replace("[", "\\[") for cell in row))
        console.print(table)
    for note in wording.make_notes(summary):
        console.print(note, markup=False, highlight=False)
    console.print(wording.word_verdict(summary), markup=False, highlight=False, style="bold")


def certify_gate(
    head: str,
    suite: tuple[str, ...],
    spec: GateSpec,
    *,
    minutes: float,
    setup: str | None,
    cache_folder: Path | None,
    recording_file: Path,
    out: Path,
) -> None:
    """Record the gate on one revision against itself, then replay it."""
    repository = find_repository(Path.cwd())
    cache_folder = (cache_folder or default_cache_folder()).resolve()
    revision = lay_out_revision(repository, head, cache_folder, setup, sys.executable)

    def show(num_pairs: int, seconds: float) -> None:
        click.echo(f"[{seconds / 60:.1f} of {minutes:g} min] process pair {num_pairs}", err=True)

    recording_file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bnbench-gate-") as folder:
        runner = _make_runner(revision, revision, suite, spec, folder)
        header = describe_recording(revision.commit, suite)
        extend_recording(recording_file, header, runner, minutes * 60.0, show)
    replay_recording(recording_file, spec, out)


def replay_recording(recording_file: Path, spec: GateSpec, out: Path) -> None:
    """Compute the error rates of a recording, write them and print them."""
    click.echo(f"replaying {recording_file}", err=True)
    summary = replay_error_rates(read_recording(recording_file), spec)
    text = render_error_rates(summary)
    figures = json.dumps(make_error_rates_json(summary), indent=2) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / f"{ERROR_RATES}.md", text.encode())
    replace_file(out / f"{ERROR_RATES}.json", figures.encode())
    click.echo(text)
