"""``bnbench compare``: compare two runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("first", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("second", metavar="RUN_B", type=click.Path(path_type=Path))
def compare(first: Path, second: Path) -> None:
    """Compare RUN_B with RUN_A: another machine, version of torch, or recipe.

    Both must have trained a variant from the same seeds on the same data.
    """
    from rich.console import Console

    from bnbench.reporting.comparison import compare_runs, tabulate_comparison
    from bnbench.reporting.terminal import print_rows
    from bnbench.store import RunStore

    comparison = compare_runs(RunStore.open(first), RunStore.open(second))
    print_rows(tabulate_comparison(comparison), Console())
    for condition in comparison.conditions or ("nothing on record",):
        click.echo(f"differs: {condition}")
    for refusal in comparison.refusals:
        click.echo(f"not compared: {refusal}")
    click.echo(
        "The times of two runs were not measured side by side: the machine's speed may have "
        "changed between them."
    )
