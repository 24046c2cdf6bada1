"""``bnbench data``: fetch, check and describe a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnbench.data_names import DATA_SETS, resolve_data
from bnbench.specs import DEFAULT_DATA

if TYPE_CHECKING:
    from bnbench.data import Dataset, LabeledInputs


@click.command()
@click.option(
    "--data",
    "name",
    default=DEFAULT_DATA,
    show_default=True,
    metavar="NAME|PATH",
    help=f"{', '.join(DATA_SETS)}; an .npz file, a folder of IDX files, or FILE.py:FUNCTION.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder of FashionMNIST to use, and to download to if it lacks the files.  [default: "
    "$BNBENCH_DATA, or found or fetched]",
)
def data(name: str, data_dir: Path | None) -> None:
    """Fetch a data set if it is missing, check it, describe it."""
    where = resolve_data(name, Path())
    if where != DEFAULT_DATA:
        from bnbench.data_readers import load_data

        _describe(load_data(where, data_dir))
        return
    from bnbench.data_files import CONTENT_SHA256
    from bnbench.data_sources import fetch_fashion_mnist, locate_fashion_mnist

    # What is missing is said before torch is imported.
    folder, source = locate_fashion_mnist() if data_dir is None else fetch_fashion_mnist(data_dir)

    from bnbench.data import read_fashion_mnist

    _describe(read_fashion_mnist(folder, source))
    click.echo(f"all {len(CONTENT_SHA256)} files have the expected SHA-256")


def _describe(dataset: Dataset) -> None:
    place = "" if dataset.folder is None else f", in {dataset.folder}"
    click.echo(f"{dataset.name} from {dataset.source}{place}")
    for part, inputs in (("training", dataset.train), ("test", dataset.test)):
        click.echo(f"{part}: {_describe_part(inputs)}")
    names = dataset.class_names or [f"0 to {dataset.shape.num_classes - 1}"]
    click.echo(f"{dataset.shape.num_classes} classes: {', '.join(names)}")


def _describe_part(part: LabeledInputs) -> str:
    """Say how many inputs there are, of which shape and scale, and how many per class."""
    from bnbench.data import scale_inputs

    values = scale_inputs(part.inputs)
    sizes = " x ".join(map(str, part.inputs.shape[1:]))
    counts = part.labels.long().bincount()
    per_class = (
        f"{counts.min()}" if counts.min() == counts.max() else (f"{counts.min()} to {counts.max()}")
    )
    return (
        f"{len(part):,} inputs of {sizes}, from {values.min():.4g} to {values.max():.4g} with mean "
        f"{values.mean():.4f} and standard deviation {values.std():.4f}, {per_class} per class"
    )
