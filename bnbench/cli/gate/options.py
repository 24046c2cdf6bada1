"""Options that several commands of the gate share."""

from __future__ import annotations

import os
from pathlib import Path

import click

FILE = click.Path(path_type=Path)


def read_percent(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    """Turn percent, or points, into a fraction."""
    return value / 100.0


def find_cache_folder() -> Path:
    """Where revisions are kept: ``$XDG_CACHE_HOME/bnbench/gate``."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "bnbench" / "gate"


suite_argument = click.argument("suite", nargs=-1)
setup_option = click.option(
    "--setup",
    metavar="COMMAND",
    help="Shell command that builds a revision in its checkout. What it installs into $GATE_SITE "
    "is imported first.",
)
cache_option = click.option(
    "--cache",
    "cache_folder",
    type=FILE,
    default=find_cache_folder,
    help="Folder for checkouts.  [default: ~/.cache/bnbench/gate]",
)
max_slowdown_option = click.option(
    "--max-slowdown",
    type=float,
    default=5.0,
    show_default=True,
    callback=read_percent,
    help="Slowdown that must not pass, in percent.",
)
false_alarms_option = click.option(
    "--false-alarms",
    type=float,
    default=1.0,
    show_default=True,
    callback=read_percent,
    help="Suite-wide false-alarm rate, in percent.",
)
error_rates_folder_option = click.option(
    "--out",
    type=FILE,
    default=Path("docs"),
    show_default=True,
    help="Folder for gate-error-rates.md and gate-error-rates.json.",
)
