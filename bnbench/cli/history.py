"""``bnbench history``: its options."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--figure", type=click.Path(path_type=Path), help="Draw to this .png or .svg.")
@click.option(
    "--fail-recent",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Exit with 1 if something got slower within the last N results.",
)
def history(files: tuple[Path, ...], figure: Path | None, fail_recent: int) -> None:
    """Find changes, and slow drift, in benchmarks over commits.

    FILES are histories of 'bnbench gate --history', or JSON of pytest-benchmark, oldest first.
    """
    from bnbench.cli.tracking import show_history

    sys.exit(show_history(files, figure, fail_recent))
