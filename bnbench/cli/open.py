"""``bnbench open``: the report of a run or series in a browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path

import click

from bnbench.errors import RunError
from bnbench.series import open_runs


@click.command(name="open")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
def open(run_folder: Path) -> None:  # noqa: A001 - the command's name
    """Open the report of RUN, a run or a series, in a browser; without one, print its path."""
    open_page(run_folder)


def open_page(folder: Path, browse: Callable[[str], bool] = webbrowser.open) -> None:
    """Open the report in a folder, or print its path where there is no browser.

    Args:
        folder: of a run or a series.
        browse: shows an address; returns whether it could.

    Raises:
        RunError: there is no run, or it has no report yet.
    """
    open_runs(folder)
    page = (folder / "report.html").resolve()
    if not page.exists():
        raise RunError(
            f"{folder}: expected a report, got no {page.name}; 'bnbench report {folder}' writes it"
        )
    if not browse(page.as_uri()):
        click.echo(page)
