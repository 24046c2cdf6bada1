"""``bnbench gate replay``."""

from __future__ import annotations

from pathlib import Path

import click

from bnbench.cli.gate.options import FILE, decision_options, error_rates_folder_option
from bnbench.gate.specs import GateSpec


@click.command()
@click.argument("recording", type=FILE)
@decision_options
@error_rates_folder_option
def replay(recording: Path, decision: GateSpec, out: Path) -> None:
    """Give the error rates of a recording, and measure nothing.

    RECORDING is a file of 'bnbench gate certify', perhaps compressed by gzip. A gate that needs
    more process pairs than the recorded one is undecided where they end.
    """
    from bnbench.gate.certify import write_error_rates

    click.echo(write_error_rates(recording, decision, out))
