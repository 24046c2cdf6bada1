"""The program ``bnbench``: its commands and exit codes.

A command's module is imported only when the command runs, so that help is fast.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

import bnbench
from bnbench.cli.exit_codes import handle_signals, run_to_exit_code

COMMANDS = {
    "run": "Train all trials of a study, verify the models, write the report.",
    "report": "Rebuild the report of a run from what is stored in it.",
    "open": "Open the report of a run in a browser.",
    "compare": "Compare two runs: another machine, version of torch, or recipe.",
    "seal": "Write a manifest for any classifier, after checking it.",
    "verify": "Evaluate every model of a run, or one sealed model, in several runtimes.",
    "diagnose": "Name what is wrong with a model, or with a runtime's logits.",
    "data": "Fetch a data set if it is missing, check it, describe it.",
    "gate": "Judge a code change: is something slower or less accurate?",
}
"""Each command with its line of help; ``bnbench/cli/NAME.py`` has its options and its body."""


class LazyGroup(click.Group):
    """A group that imports a command's module only to run the command.

    Args:
        commands_help: its commands, in the order of use, each with its line of help.
        package: where ``NAME.py`` of each command is.
    """

    def __init__(
        self, *arguments: Any, commands_help: Mapping[str, str], package: str, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._commands_help = commands_help
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """List the commands in the order in which people need them."""
        return list(self._commands_help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in self._commands_help:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; an unknown one is answered with those that may be meant."""
        name = args[0]
        if name not in self._commands_help:
            here = difflib.get_close_matches(name, self._commands_help)
            below = [
                f"{group} {name}"
                for group, command in self._list_loaded(ctx)
                if isinstance(command, click.Group) and name in command.list_commands(ctx)
            ]
            self._fail_with_advice(ctx, f"No such command {name!r}.", [*below, *here])
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the group's own options; one of a command is answered with that command."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            owners = [
                name
                for name, command in self._list_loaded(ctx)
                if any(error.option_name in parameter.opts for parameter in command.params)
            ]
            self._fail_with_advice(ctx, f"No such option {error.option_name!r}.", owners)
            raise

    def _list_loaded(self, ctx: click.Context) -> list[tuple[str, click.Command]]:
        """Import all commands: this takes longer, and only mistakes need it."""
        commands = [(name, self.get_command(ctx, name)) for name in self._commands_help]
        return [(name, command) for name, command in commands if command is not None]

    def _fail_with_advice(self, ctx: click.Context, text: str, names: list[str]) -> None:
        """End with the commands that may be meant, if there are any."""
        if names:
            meant = " or ".join(f"'{ctx.command_path} {name}'" for name in names)
            raise click.UsageError(f"{text} Did you mean {meant}?", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._commands_help.items()))


def main() -> None:
    """Run the program; an expected error prints one or two lines and sets the exit code."""
    handle_signals()
    sys.exit(run_to_exit_code(lambda: cli.main(prog_name="bnbench", standalone_mode=False)))


@click.group(
    cls=LazyGroup,
    commands_help=COMMANDS,
    package="bnbench.cli",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(bnbench.__version__, prog_name="bnbench")
def cli() -> None:
    """What does batch normalization do to the training of a small network?

    'bnbench run' trains the networks across seeds, exports each to TorchScript, has the C++
    program bnbench-eval evaluate it again, and writes a report.

    'bnbench gate' decides whether a code change made something slower or less accurate.

    Exit codes: 0 success; 1 a trial failed, or the gate found a change for the worse; 2 wrong
    usage or input, or a full disk; 3 the gate is undecided; 5 runtimes disagree; 130 interrupted
    (143 by SIGTERM).
    """
