"""``bnbench diagnose``: what is wrong with a model, or with a runtime's logits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnbench.data_names import resolve_data
from bnbench.errors import DataError, DisagreementError, RunError
from bnbench.specs import DEFAULT_DATA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bnbench.data import LabeledInputs
    from bnbench.models.certificate import Certificate, Refusal
    from bnbench.models.diagnosis import Fault
    from bnbench.models.exported_model import ExportedModel
    from bnbench.records import VerificationRecord


@click.command()
@click.argument("model", metavar="MODEL.pt", type=click.Path(path_type=Path))
@click.option(
    "--manifest", type=click.Path(path_type=Path), help="Its manifest.  [default: MODEL.json]"
)
@click.option(
    "--logits",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="A runtime's logits for the test images, in their order: shape (10000, 10).",
)
@click.option("--correct", type=int, help="The runtime's count of correct images.")
@click.option(
    "--layers",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Write what each layer gives in binary64 to this file (about 50 MB).",
)
@click.option(
    "--data",
    default=DEFAULT_DATA,
    show_default=True,
    metavar="NAME|PATH",
    help="Data that the model was trained on; see bnbench run.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of FashionMNIST.")
def diagnose(
    model: Path,
    manifest: Path | None,
    logits: Path | None,
    correct: int | None,
    layers: Path | None,
    data: str,
    data_dir: Path | None,
) -> None:
    """Name what is wrong with MODEL.pt, or with the logits that a runtime gave for it.

    The file is compared with its manifest. The logits of --logits, from any program on any machine,
    are compared with the model in binary64 and with what rounding can explain.

    Exit codes: 0 all is well; 5 there is a fault; 2 the input can't be used.
    """
    if correct is not None and logits is None:
        raise click.UsageError("--correct is compared with predictions, so it needs --logits")
    from bnbench.models.diagnosis import diagnose_file
    from bnbench.models.exported_model import read_model

    opened = read_model(model, manifest)
    fault = diagnose_file(opened)
    if fault is None:
        # What can't be used is refused before torch is imported with the data.
        opened.network  # noqa: B018
        found = None if logits is None else _read_logits(logits)
        network = opened.manifest.network
        depth = (
            "(its manifest, of an older bnbench, describes no tensors)"
            if network is None
            else f"and by each of its {len(network.tensors)} tensors"
        )
        click.echo(f"{opened.name}: the file that was exported, by its hash {depth}")
        from bnbench.data_readers import load_data

        test = load_data(resolve_data(data, Path()), data_dir).test
        fault = _diagnose_logits(opened, found, logits, correct, layers, test)
    if fault is not None:
        click.echo(f"fault: {fault.name}: {fault.text}")
        sys.exit(DisagreementError.exit_code)


def _diagnose_logits(
    model: ExportedModel,
    logits: NDArray[np.floating[Any]] | None,
    path: Path | None,
    correct: int | None,
    layers: Path | None,
    test: LabeledInputs,
) -> Fault | None:
    """Show how near the logits are to the reference, and name what is wrong with them."""
    from bnbench.models.agreement import compare_logits, make_reference
    from bnbench.models.diagnosis import Fault, diagnose_logits, diagnose_score
    from bnbench.models.diagnosis.layers import advise_layers, write_layers

    data = model.manifest.data
    named = data.inputs_sha256, data.targets_sha256
    if named != (test.inputs_sha256, test.labels_sha256):
        raise DataError(
            f"expected the test set that the model's manifest names ({data.name}), got another "
            "one; name it by --data, or FashionMNIST's folder by --data-dir"
        )
    images, labels = test.inputs.numpy(), test.labels.numpy()
    reference = make_reference(model, images, labels)
    _show_certificate(reference.proof, len(images))
    if layers is not None:
        write_layers(layers, model.network, images)
        click.echo(f"layers: {layers}")
    if logits is None:
        return None
    if logits.shape != reference.logits.shape:
        raise RunError(
            f"{path}: expected logits of shape {reference.logits.shape}, one row per test image "
            f"and one column per class, got shape {logits.shape}"
        )
    record = compare_logits(reference, "logits", "unknown", logits)
    _show_comparison(record)
    if record.status != "agreed":
        fault = diagnose_logits(reference, logits, images)
        return fault or Fault("unknown", f"{record.reason}. {advise_layers(model.path)}")
    if correct is not None:
        fault = diagnose_score(logits.argmax(axis=1), labels, correct)
        if fault is not None:
            return fault
    click.echo("agreed: rounding explains every difference")
    return None


def _read_logits(path: Path) -> NDArray[np.floating[Any]]:
    """Read a NumPy file of finite floating-point numbers; a file that needs pickle is refused."""
    import numpy as np

    try:
        logits = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RunError(f"{path}: expected logits in NumPy's .npy format, got: {error}") from None
    if not isinstance(logits, np.ndarray):
        raise RunError(f"{path}: expected a single array (.npy), got an archive of several")
    if not np.issubdtype(logits.dtype, np.floating):
        raise RunError(
            f"{path}: expected floating-point numbers, got {logits.dtype}; give the logits, not "
            "the predictions"
        )
    wrong = np.argwhere(~np.isfinite(logits))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise RunError(
            f"{path}: expected finite numbers, got {len(wrong)} that are not, the first "
            f"{logits[place]} at {list(place)}; look for an overflow, or for pixels or weights "
            "read in another byte order"
        )
    return logits


def _show_certificate(proof: Certificate | Refusal, num_images: int) -> None:
    from bnbench.models.certificate import Refusal
    from bnbench.models.contract import CONTRACT

    if isinstance(proof, Refusal):
        click.echo(f"not certified, {proof.status}: {proof.reason}")
        return
    click.echo(
        f"certified: {proof.certified.sum():,} of {num_images:,} predictions are the same in "
        f"{CONTRACT.summary}"
    )


def _show_comparison(record: VerificationRecord) -> None:
    """Say how near a runtime's logits and predictions are to the reference's."""
    total, differing = record.total or 0, record.differing or 0
    click.echo(
        f"predictions: {total - differing:,} of {total:,} are the same; {differing:,} differ, "
        f"{differing - (record.unexplained or 0):,} of them explained by rounding"
    )
    text = f"logits: the largest difference is {record.max_abs_diff:.3g}"
    if record.max_bound_share is not None:
        text += f"; the largest share of the certified bound is {record.max_bound_share:.3g}"
    click.echo(text)
