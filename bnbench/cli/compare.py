"""``bnbench compare``: compare two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnbench.errors import RunError

if TYPE_CHECKING:
    from bnbench.reporting.comparison import RunComparison

STANDARD_OUTPUT = "-"


def _parse_map(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """Read each OLD=NEW."""
    variant_map: dict[str, str] = {}
    for text in texts:
        old, equals, new = (part.strip() for part in text.partition("="))
        if not (old and equals and new):
            raise click.BadParameter(
                f"expected NAME_IN_A=NAME_IN_B, got {text!r}; such as --map batchnorm=bn"
            )
        if variant_map.setdefault(old, new) != new:
            raise click.BadParameter(f"expected {old} once, got it twice; map it to one variant")
    return variant_map


@click.command()
@click.argument("first", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("second", metavar="RUN_B", type=click.Path(path_type=Path))
@click.option(
    "--map",
    "variant_map",
    metavar="OLD=NEW",
    multiple=True,
    callback=_parse_map,
    help="Compare variant OLD of RUN_A with variant NEW of RUN_B, whatever their networks. Can be "
    "repeated.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Write all figures to this file; - prints them instead of the text.",
)
def compare(first: Path, second: Path, variant_map: dict[str, str], json_file: Path | None) -> None:
    """Compare RUN_B with RUN_A: another machine, version of torch, or recipe.

    Both must have trained a variant from the same seeds on the same data. Variants are matched by
    name. Trials are called identical if all their losses and accuracies are the same, bit for bit.
    """
    from bnbench.files import replace_file
    from bnbench.reporting.comparison import compare_runs, make_comparison_json
    from bnbench.store import RunStore

    comparison = compare_runs(RunStore.open(first), RunStore.open(second), variant_map)
    content = make_comparison_json(comparison, str(first), str(second))
    text = json.dumps(content, indent=2, allow_nan=False)
    if str(json_file) == STANDARD_OUTPUT:
        click.echo(text)
        return
    if json_file is not None:
        try:
            replace_file(json_file, f"{text}\n".encode())
        except OSError as error:
            raise RunError(
                f"{json_file}: expected a file that can be written, got: {error.strerror}; name "
                "another by --json"
            ) from None
    _show(comparison)


def _show(comparison: RunComparison) -> None:
    from rich.console import Console

    from bnbench.reporting.comparison import tabulate_comparison
    from bnbench.reporting.terminal import print_rows

    print_rows(tabulate_comparison(comparison), Console())
    for condition in comparison.conditions or ("nothing on record",):
        click.echo(f"differs: {condition}")
    for refusal in comparison.refusals:
        click.echo(f"not compared: {refusal}")
    if comparison.num_identical_trials is not None:
        click.echo(
            f"Identical: all {comparison.num_identical_trials} trials of both runs have the same "
            "losses and accuracies, bit for bit."
        )
    click.echo(
        "The times of two runs were not measured side by side: the machine's speed may have "
        "changed between them."
    )
