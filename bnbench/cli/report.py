"""``bnbench report``: a run's report, rebuilt from what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bnbench.store import RunStore


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
def report(run_folder: Path) -> None:
    """Rebuild the report of RUN from what is stored in it."""
    from bnbench.store import RunStore

    show_report(RunStore.open(run_folder))


def show_report(store: RunStore) -> None:
    """Write a run's report, print its table and say where it lies."""
    from rich.console import Console

    from bnbench.reporting.report import write_report
    from bnbench.reporting.terminal import print_content

    print_content(write_report(store), Console())
    for name in ("report.html", "report.md"):
        click.echo(f"Report: {store.folder / name}")
