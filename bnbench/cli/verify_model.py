"""``bnbench verify MODEL``: one sealed model in every runtime that can run it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnbench.errors import DisagreementError, RunError

if TYPE_CHECKING:
    from bnbench.models.certificate import Certificate, Refusal
    from bnbench.models.manifest import Manifest
    from bnbench.models.sealed_verification import SealedData, SealedRecord


def verify_model(
    path: Path,
    manifest_path: Path | None,
    runtimes: str | None,
    inputs: str | None,
    targets: str | None,
    data_dir: Path | None,
) -> int:
    """Verify one model and show a table; return the exit code."""
    if (inputs is None) != (targets is None):
        raise click.UsageError("--inputs and --targets belong together")
    from bnbench.models.exported_model import name_manifest, read_model
    from bnbench.models.sealed_verification import (
        choose_sealed_runtimes,
        require_sealed_data,
        verify_sealed,
    )

    manifest_path = manifest_path or name_manifest(path)
    model = read_model(path, manifest_path)
    if not model.is_unaltered:
        raise RunError(
            f"{path}: expected the model of its manifest, SHA-256 {model.manifest.model.sha256}, "
            "got another file; seal it again"
        )
    names = choose_sealed_runtimes(model.manifest, runtimes)
    data = _read_data(inputs, targets, data_dir)
    require_sealed_data(model.manifest, data)
    import torch

    # As bnbench-eval evaluates: another number of threads may add in another order.
    torch.set_num_threads(1)
    proof, records = verify_sealed(model, manifest_path, data, names)
    show_proof(proof)
    show_table(model.manifest, records)
    for record in records:
        if record.reason is not None:
            click.echo(f"{record.runtime}: {record.status}: {record.reason}", err=True)
    wrong = [record for record in records if record.status != "agreed"]
    if wrong:
        return DisagreementError.exit_code
    click.echo(
        f"Verified: {path.name} in {', '.join(record.runtime for record in records)}: "
        f"{model.manifest.expected.total:,} predictions as in its manifest"
    )
    return 0


def _read_data(inputs: str | None, targets: str | None, data_dir: Path | None) -> SealedData:
    """The files that were named, or FashionMNIST's test set."""
    import numpy as np

    from bnbench.array_files import StoredArray, read_array
    from bnbench.models.sealed_verification import SealedData
    from bnbench.models.sealing import read_targets

    if inputs is not None and targets is not None:
        stored = read_array(inputs, ("inputs", "x_test"))
        options = ("--inputs", inputs, "--targets", targets)
        return SealedData(stored, read_targets(targets, stored), options)
    from bnbench.data import load_fashion_mnist

    dataset = load_fashion_mnist(data_dir)
    labels = dataset.test.labels.numpy().astype(np.int64)
    folder = () if dataset.folder is None else ("--data", str(dataset.folder))
    return SealedData(StoredArray(dataset.test.inputs.numpy(), "uint8"), labels, folder)


def show_proof(proof: Certificate | Refusal) -> None:
    """Say what the bound covers, or why it covers nothing."""
    from bnbench.models.certificate import Refusal

    if isinstance(proof, Refusal):
        click.echo(f"bound: none ({proof.status}): {proof.reason}")
        return
    click.echo(
        f"bound: {proof.certified.sum():,} of {len(proof.certified):,} predictions are certified"
    )


def show_table(manifest: Manifest, records: Sequence[SealedRecord]) -> None:
    """Show one row per runtime.

    ``differ`` counts predictions that are not the manifest's. ``probe diff.`` is the largest
    difference of a probe's score, and ``of bound`` that of any score from binary64, as a share of
    its bound.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("runtime", "version", "status", box=None)
    headings = ("accuracy", "differ", "probe diff.", "of bound")
    for heading in headings:
        table.add_column(heading, justify="right")

    def show(value: float | None, pattern: str) -> str:
        return "" if value is None else format(value, pattern)

    total = manifest.expected.total
    for record in records:
        accuracy = None if record.correct is None else record.correct / total
        differing = show(record.differing, ",d")
        if record.explained:
            differing += f" ({record.explained:,d} explained)"
        table.add_row(
            record.runtime,
            (record.version or "").partition("+")[0],
            record.status,
            show(accuracy, ".4f"),
            differing,
            show(record.max_abs_diff, ".3g"),
            show(record.max_bound_share, ".2%"),
        )
    Console().print(table)
