"""``bnbench seal``: a manifest for any classifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bnbench.models.sealing import SealRecord, SealSpec

KINDS = ("logits", "probabilities", "log-probabilities", "labels")


@click.command()
@click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))
@click.option(
    "--inputs",
    required=True,
    metavar="FILE",
    help="Inputs of shape (N, ...): .npy, .npz or .safetensors (FILE:NAME for one of several "
    "arrays), or IDX.",
)
@click.option("--targets", required=True, metavar="FILE", help="Their N classes, from 0 on.")
@click.option(
    "--preprocess",
    default="",
    metavar="STEPS",
    help="What is done to the inputs before the model, such as "
    "divide=255,normalize=0.5/0.5,reshape=1x28x28.  [default: nothing]",
)
@click.option("--classes", type=click.IntRange(min=1), help="Number of classes, to be checked.")
@click.option("--output", type=click.Choice(KINDS), help="What it returns.  [default: detected]")
@click.option("--element", metavar="INDEX|KEY", help="Which of several outputs is the one.")
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    help="Where to write it.  [default: MODEL.json for MODEL.pt, else MODEL + .json]",
)
@click.option("--force", is_flag=True, help="Replace a manifest that is there already.")
def seal(
    model: Path,
    inputs: str,
    targets: str,
    preprocess: str,
    classes: int | None,
    output: str | None,
    element: str | None,
    manifest: Path | None,
    force: bool,
) -> None:
    """Run MODEL over labeled inputs, check it, and write the manifest that proves its results.

    MODEL is a TorchScript file, a torch.export archive (.pt2) or an ONNX graph, wherever it was
    trained. 'bnbench-eval' and 'bnbench verify' evaluate it again. MODEL is code: it runs.

    Exit codes: 0 sealed; 5 it is in training mode, depends on its batch or is not deterministic;
    2 the input can't be used.
    """
    from bnbench.models.preprocessing import parse_preprocessing

    steps = parse_preprocessing(preprocess)  # before torch is imported
    import torch

    from bnbench.models.sealing import SealSpec, seal_model

    # As bnbench-eval evaluates: another number of threads may add in another order.
    torch.set_num_threads(1)
    spec = SealSpec(
        model=model,
        inputs=inputs,
        targets=targets,
        preprocessing=steps,
        num_classes=classes,
        kind=output,  # type: ignore[arg-type] # one of KINDS
        element=int(element) if element is not None and element.isdecimal() else element,
        manifest=manifest,
        replaces=force,
    )
    show_seal(spec, seal_model(spec))


def show_seal(spec: SealSpec, record: SealRecord) -> None:
    """Say on one screen what was sealed."""
    from bnbench.models.preprocessing import format_preprocessing

    manifest = record.manifest
    expected, stored, output = manifest.expected, manifest.input, manifest.output
    software = ", ".join(
        f"{name} {version}" for name, version in manifest.versions.items() if name != "bnbench"
    )
    shape = "x".join(map(str, stored.shape)) or "one number"
    steps = format_preprocessing(stored.preprocessing) or "nothing is done to them"
    element = "" if output.element is None else f", output {output.element!r}"
    origin = "detected" if spec.kind is None else "as asked for"
    click.echo(f"sealed {spec.model} in {record.path}")
    click.echo(f"  format    {manifest.model.format} ({software})")
    click.echo(f"  inputs    {expected.total:,} of {stored.dtype}, {shape} each; {steps}")
    click.echo(f"  output    {output.kind} ({origin}), {output.num_classes} classes{element}")
    click.echo(
        f"  accuracy  {expected.correct / expected.total:.4f} ({expected.correct:,} of "
        f"{expected.total:,} correct)"
    )
    click.echo("  checked   finite; evaluation mode; the same alone, in other company and twice")
    for warning in record.warnings:
        click.echo(f"warning: {warning}", err=True)
