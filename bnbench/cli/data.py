"""``bnbench data``: fetch, check and describe the data set."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder to use, and to download to if it lacks the files.  [default: $BNBENCH_DATA, or "
    "found or fetched]",
)
def data(data_dir: Path | None) -> None:
    """Fetch FashionMNIST if it is missing, check every byte, describe it."""
    from bnbench.data_files import CONTENT_SHA256
    from bnbench.data_sources import fetch_fashion_mnist, locate_fashion_mnist

    # What is missing is said before torch is imported.
    folder, source = locate_fashion_mnist() if data_dir is None else fetch_fashion_mnist(data_dir)

    from bnbench.data import CLASS_NAMES, read_fashion_mnist

    dataset = read_fashion_mnist(folder, source)
    click.echo(f"FashionMNIST from {dataset.source}, in {dataset.folder}")
    for part, images in (("training", dataset.train), ("test", dataset.test)):
        pixels = images.inputs.float().div(255)
        click.echo(
            f"{part}: {len(images)} images of 28 x 28, pixels with mean {pixels.mean():.4f} and "
            f"standard deviation {pixels.std():.4f}, "
            f"{', '.join(str(n) for n in sorted(set(images.labels.bincount().tolist())))} "
            "images per class"
        )
    click.echo(f"classes: {', '.join(CLASS_NAMES)}")
    click.echo(f"all {len(CONTENT_SHA256)} files have the expected SHA-256")
