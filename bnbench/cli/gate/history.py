"""``bnbench gate history``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bnbench.cli.gate.options import FILE
from bnbench.errors import GateError

FIGURE_FORMATS = ("png", "svg")


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--figure", type=FILE, help="Draw to this .png or .svg.")
@click.option(
    "--fail-recent",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Exit with 1 if something got slower within the last N results.",
)
def history(files: tuple[Path, ...], figure: Path | None, fail_recent: int) -> None:
    """Find changes, and slow drift, in benchmarks over commits.

    FILES are histories of 'bnbench gate check --history', or JSON of pytest-benchmark, oldest
    first.
    """
    kind = "" if figure is None else figure.suffix.lstrip(".")
    if kind and kind not in FIGURE_FORMATS:
        raise GateError(f"{figure}: expected a name that ends in .png or .svg, got {kind!r}")
    from bnbench.gate.drift import AlarmSummary, count_recent, describe_history, find_alarms
    from bnbench.gate.formats import write_file
    from bnbench.gate.history import list_histories, read_documents

    histories = list_histories([document for file in files for document in read_documents(file)])
    if not histories:
        raise GateError(f"{', '.join(map(str, files))}: expected results with benchmarks, got none")
    alarms: list[AlarmSummary] = []
    num_worse = 0
    for each in histories:
        found = find_alarms(each)
        click.echo(describe_history(each, found))
        alarms += found
        num_worse += count_recent(found, len(each.values), fail_recent)
    if figure is not None:
        from bnbench.gate.history_figure import draw_histories

        write_file(figure, draw_histories(histories, alarms, kind))
        click.echo(f"Figure: {figure}")
    sys.exit(1 if num_worse else 0)
