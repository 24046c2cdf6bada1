"""``bnbench gate replay``."""

from __future__ import annotations

from pathlib import Path

import click

from bnbench.cli.gate.options import (
    FILE,
    error_rates_folder_option,
    false_alarms_option,
    max_slowdown_option,
)


@click.command()
@click.argument("recording", type=FILE)
@max_slowdown_option
@false_alarms_option
@error_rates_folder_option
def replay(recording: Path, max_slowdown: float, false_alarms: float, out: Path) -> None:
    """Give the error rates of a recording, and measure nothing.

    RECORDING is a file of 'bnbench gate certify'.
    """
    from bnbench.gate.specs import GateSpec

    decision = GateSpec(max_slowdown=max_slowdown, false_alarms=false_alarms)
    from bnbench.gate.certify import write_error_rates

    click.echo(write_error_rates(recording, decision, out))
