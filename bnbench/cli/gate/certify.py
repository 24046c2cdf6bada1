"""``bnbench gate certify``."""

from __future__ import annotations

from pathlib import Path

import click

from bnbench.cli.gate.options import (
    FILE,
    decision_options,
    error_rates_folder_option,
    minutes_option,
    option,
    show_progress,
    suite_options,
)
from bnbench.gate.specs import GateSpec, SuiteSpec


@click.command()
@option(
    "--revision",
    metavar="REV",
    default="worktree",
    help="Revision to measure against itself; worktree is the files as they are.",
)
@suite_options
@decision_options
@minutes_option(20.0, "Length of the recording; its last decision is completed.")
@option(
    "--recording",
    type=FILE,
    default=Path("runs/gate-recording.jsonl"),
    help="File of the recording; continued if it exists.",
)
@error_rates_folder_option
def certify(
    suite: SuiteSpec, revision: str, decision: GateSpec, seconds: float, recording: Path, out: Path
) -> None:
    """Measure the gate's own error rates on this machine.

    Records decisions on one revision against a new copy of itself, with and without a slowdown of
    one benchmark, then counts the wrong ones. SUITE is what pytest collects: paths and options
    (after --).
    """
    from bnbench.gate.certify import record_revision, write_error_rates

    record_revision(revision, suite, decision, recording, seconds, show_progress)
    click.echo(write_error_rates(recording, decision, out))
