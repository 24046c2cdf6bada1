"""Options that several commands of the gate share, and the specs made from them."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bnbench.errors import SpecError
from bnbench.gate.specs import GateSpec, SuiteSpec

FILE = click.Path(path_type=Path)
Command = Callable[..., None]

option = functools.partial(click.option, show_default=True)
show_progress = functools.partial(click.echo, err=True)
error_rates_folder_option = option(
    "--out",
    type=FILE,
    default=Path("docs"),
    help="Folder for gate-error-rates.md and gate-error-rates.json.",
)


def percent_option(field: str, text: str) -> Callable[[Command], Command]:
    """An option in percent, or in points, for a field of `GateSpec`, which is a fraction."""
    return option(
        f"--{field.replace('_', '-')}",
        type=float,
        default=getattr(GateSpec, field) * 100.0,
        callback=lambda _context, _parameter, percent: percent / 100.0,
        help=text,
    )


def minutes_option(default: float, text: str) -> Callable[[Command], Command]:
    """``--minutes``, which the command gets as `seconds`."""

    def read(_context: click.Context, _parameter: click.Parameter, minutes: float) -> float:
        if not (minutes > 0.0 and math.isfinite(minutes)):
            raise SpecError(f"minutes: expected a number above 0, got {minutes:g}")
        return minutes * 60.0

    return option(
        *("--minutes", "seconds"),
        type=float,
        default=default,
        callback=read,
        help=text,
    )


def decision_options(command: Command) -> Command:
    """Add the limit and the false-alarm rate, which the command gets as `decision`."""

    @percent_option("max_slowdown", "Slowdown that must not pass, in percent.")
    @percent_option("false_alarms", "Suite-wide false-alarm rate, in percent.")
    @functools.wraps(command)
    def call(max_slowdown: float, false_alarms: float, **others: Any) -> None:
        command(decision=GateSpec(max_slowdown, false_alarms), **others)

    return call


def suite_options(command: Command) -> Command:
    """Add SUITE, its setup and the cache, which the command gets as `suite`."""

    def find_cache_folder() -> Path:
        root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return Path(root) / "bnbench" / "gate"

    @click.argument("suite", nargs=-1)
    @click.option(
        "--setup",
        metavar="COMMAND",
        help="Shell command that builds a revision in its checkout. What it installs into "
        "$GATE_SITE is imported first.",
    )
    @click.option(
        "--cache",
        type=FILE,
        default=find_cache_folder,
        help="Folder for checkouts.  [default: ~/.cache/bnbench/gate]",
    )
    @option(
        "--measure-seconds",
        type=float,
        default=SuiteSpec.measure_seconds,
        help="Seconds for which a process pair measures each benchmark. Fewer give more process "
        "pairs, each noisier.",
    )
    @functools.wraps(command)
    def call(
        suite: tuple[str, ...],
        setup: str | None,
        cache: Path,
        measure_seconds: float,
        **others: Any,
    ) -> None:
        command(suite=SuiteSpec(suite, cache.resolve(), setup, measure_seconds), **others)

    return call
