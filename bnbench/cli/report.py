"""``bnbench report``: rebuild the report of a run or series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bnbench.reporting.report import Report
    from bnbench.store import RunStore


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
def report(run_folder: Path) -> None:
    """Rebuild the report of RUN, a run or a series, from the data in its folder."""
    from bnbench.reporting.report import write_report
    from bnbench.reporting.series import write_series_report
    from bnbench.series import is_series, open_runs

    stores = open_runs(run_folder)
    if not is_series(run_folder):
        show_report(stores[0], write_report(stores[0], stores[0].read_trials()))
        return
    for store in stores:
        headline = write_report(store, store.read_trials()).content.answer[0]
        click.echo(f"{store.folder.name}: {headline}")
    show_series_report(run_folder, write_series_report(run_folder))


def show_report(store: RunStore, report: Report) -> None:
    """Print a report's tables and its answer, and name its files."""
    from rich.console import Console

    from bnbench.reporting.terminal import print_content

    print_content(report.content, Console())
    _name_pages(store.folder)


def show_series_report(folder: Path, answer: str) -> None:
    """Print the answer of a series, and name the files of its page."""
    click.echo(answer)
    _name_pages(folder)


def _name_pages(folder: Path) -> None:
    for name in ("report.html", "report.md"):
        click.echo(f"Report: {folder / name}")
