"""``bnbench gate certify``."""

from __future__ import annotations

from pathlib import Path

import click

from bnbench.cli.gate.options import (
    FILE,
    cache_option,
    error_rates_folder_option,
    false_alarms_option,
    max_slowdown_option,
    setup_option,
    suite_argument,
)


@click.command()
@suite_argument
@click.option(
    "--revision",
    metavar="REV",
    default="worktree",
    show_default=True,
    help="Revision to measure against itself; worktree is the files as they are.",
)
@setup_option
@max_slowdown_option
@false_alarms_option
@click.option(
    "--minutes", type=float, default=20.0, show_default=True, help="Length of the recording."
)
@cache_option
@click.option(
    "--recording",
    "recording_file",
    type=FILE,
    default=Path("runs/gate-recording.jsonl"),
    show_default=True,
    help="File of the recording; continued if it exists.",
)
@error_rates_folder_option
def certify(
    suite: tuple[str, ...],
    revision: str,
    setup: str | None,
    max_slowdown: float,
    false_alarms: float,
    minutes: float,
    cache_folder: Path,
    recording_file: Path,
    out: Path,
) -> None:
    """Measure the gate's own error rates on this machine.

    Records one revision against itself, with and without injected slowdowns, then replays
    thousands of decisions. SUITE is what pytest collects: paths and options (after --).
    """
    from bnbench.gate.specs import CertifySpec, GateSpec

    decision = GateSpec(max_slowdown=max_slowdown, false_alarms=false_alarms)
    spec = CertifySpec(
        revision, suite, decision, cache_folder, recording_file, minutes * 60.0, setup
    )
    from bnbench.gate.certify import record_revision, write_error_rates

    def show(num_pairs: int, seconds: float) -> None:
        click.echo(f"[{seconds / 60:.1f} of {minutes:g} min] process pair {num_pairs}", err=True)

    record_revision(spec, show)
    click.echo(write_error_rates(recording_file, decision, out))
