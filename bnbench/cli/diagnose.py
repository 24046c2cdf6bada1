"""``bnbench diagnose``: its options."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("model", metavar="MODEL.pt", type=click.Path(path_type=Path))
@click.option(
    "--manifest", type=click.Path(path_type=Path), help="Its manifest.  [default: MODEL.json]"
)
@click.option(
    "--logits",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="What a runtime gave for the test images, in their order: shape (10000, 10).",
)
@click.option("--correct", type=int, help="How many images that runtime says are correct.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of FashionMNIST.")
def diagnose(
    model: Path,
    manifest: Path | None,
    logits: Path | None,
    correct: int | None,
    data_dir: Path | None,
) -> None:
    """Say what is wrong with MODEL.pt, or with what any runtime made of it.

    The file is held against its manifest, and the logits of --logits, which may come from any
    program on any machine, against what rounding can explain. A fault is named.

    Exit codes: 0 all is well; 5 there is a fault; 2 the input can't be used.
    """
    from bnbench.cli.diagnosing import diagnose_model

    if correct is not None and logits is None:
        raise click.UsageError("--correct is held against predictions, so it needs --logits")
    sys.exit(diagnose_model(model, manifest, logits, correct, data_dir))
