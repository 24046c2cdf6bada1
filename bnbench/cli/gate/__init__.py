"""``bnbench gate``: a group of commands."""

from __future__ import annotations

import click

from bnbench.cli.main import LazyGroup

COMMANDS = {
    "check": "Judge a change: is head slower or less accurate than base?",
    "certify": "Measure the gate's own error rates on this machine.",
    "replay": "Give the error rates of a recording, and measure nothing.",
    "history": "Find changes, and slow drift, in benchmarks over commits.",
}
"""Each command with its line of help. ``bnbench/cli/gate/NAME.py`` has its options and body."""


@click.group(cls=LazyGroup, commands_help=COMMANDS, package="bnbench.cli.gate")
def gate() -> None:
    """Did a code change make something slower or less accurate?"""
