"""``bnbench report``: rebuild a run's report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bnbench.records import TrialRecord
    from bnbench.store import RunStore


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
def report(run_folder: Path) -> None:
    """Rebuild the report of RUN from the data in its folder."""
    from bnbench.store import RunStore

    store = RunStore.open(run_folder)
    show_report(store, store.read_trials())


def show_report(store: RunStore, records: Sequence[TrialRecord]) -> None:
    """Write a run's report, print its tables and its answer, and name its files."""
    from rich.console import Console

    from bnbench.reporting.report import write_report
    from bnbench.reporting.terminal import print_content

    print_content(write_report(store, records), Console())
    for name in ("report.html", "report.md"):
        click.echo(f"Report: {store.folder / name}")
