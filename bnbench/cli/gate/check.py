"""``bnbench gate check``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnbench.cli.gate.options import (
    FILE,
    decision_options,
    minutes_option,
    option,
    percent_option,
    show_progress,
    suite_options,
)
from bnbench.gate.specs import CheckSpec, GateSpec, SuiteSpec

if TYPE_CHECKING:
    from bnbench.gate.verdict import GateSummary


@click.command()
@click.option(
    "--base", metavar="REV", required=True, help="Revision to compare with, such as main."
)
@option(
    "--head",
    metavar="REV",
    default="worktree",
    help="Revision to judge; worktree is the files as they are.",
)
@suite_options
@click.option(
    "--accuracy",
    metavar="COMMAND",
    help="Shell command that trains in a revision and writes $GATE_OUT/epochs.csv, such as "
    "'python -m bnbench run --seeds 0-9 --out $GATE_OUT'.",
)
@decision_options
@percent_option("max_accuracy_loss", "Loss of accuracy that must not pass, in points.")
@minutes_option(GateSpec.budget_seconds / 60.0, "Longest time of measuring.")
@click.option("--markdown", type=FILE, help="Write the summary to this file.")
@click.option("--json", type=FILE, help="Write all figures to this file.")
@click.option("--action-benchmark", type=FILE, help="Write a file for github-action-benchmark.")
@click.option("--bencher", type=FILE, help="Write a file in Bencher Metric Format.")
@click.option("--history", type=FILE, help="Append the result to this file.")
def check(
    base: str,
    head: str,
    suite: SuiteSpec,
    accuracy: str | None,
    decision: GateSpec,
    max_accuracy_loss: float,
    seconds: float,
    history: Path | None,
    **outputs: Path | None,
) -> None:
    """Judge a change: is head slower or less accurate than base?

    SUITE is what pytest collects in both revisions: paths and options (after --), such as
    'bench -- -k training'. Both revisions are measured side by side, in short rounds in several
    pairs of processes, until every benchmark is decided or the time is spent.

    Exit codes: 0 nothing is worse; 1 something is; 2 wrong usage or input; 3 undecided.
    """
    decision = dataclasses.replace(
        decision, max_accuracy_loss=max_accuracy_loss, budget_seconds=seconds
    )
    files = {name: path for name, path in outputs.items() if path is not None}
    from bnbench.gate.check import check_change

    spec = CheckSpec(base, head, suite, decision, accuracy, files, history)
    summary = check_change(spec, show_progress)
    _show_summary(summary)
    sys.exit(summary.exit_code)


def _show_summary(summary: GateSummary) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from bnbench.gate import wording

    console = Console()
    for columns, rows in wording.make_tables(summary):
        table = Table(*(Column(name, overflow="fold") for name in columns), box=box.SIMPLE_HEAD)
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
    sides = f"base {summary.base_commit[:12]}, head {summary.head_commit[:12]}"
    for note in (sides, *wording.make_notes(summary)):
        console.print(note, markup=False, highlight=False)
    console.print(wording.word_verdict(summary), markup=False, highlight=False, style="bold")
