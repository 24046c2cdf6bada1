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


class GateGroup(LazyGroup):
    """The group, which answers the options of older versions with the command to use."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the group's own options: there are none but help."""
        if args and args[0] not in ("-h", "--help", *COMMANDS):
            raise click.UsageError(
                f"expected one of {', '.join(COMMANDS)}; got {args[0]!r}; "
                "'bnbench gate check --base REV' judges a change",
                ctx,
            )
        return super().parse_args(ctx, args)


@click.group(cls=GateGroup, commands_help=COMMANDS, package="bnbench.cli.gate")
def gate() -> None:
    """Did a code change make something slower or less accurate?"""
