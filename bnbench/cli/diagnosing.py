"""What ``bnbench diagnose`` does and shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from bnbench.errors import DataError, DisagreementError, RunError
from bnbench.models.agreement import compare_logits, make_reference
from bnbench.models.certificate import Certificate
from bnbench.models.diagnosis import Fault, diagnose_file, diagnose_logits, diagnose_score
from bnbench.models.manifest import read_manifest
from bnbench.models.stored_network import read_stored_network
from bnbench.records import AgreementRecord


def diagnose_model(
    model: Path,
    manifest_path: Path | None,
    logits_path: Path | None,
    correct: int | None,
    data_dir: Path | None,
) -> int:
    """Hold a model, and a runtime's logits if there are any, against its manifest.

    Returns:
        The exit code.

    Raises:
        RunError: a file is missing or can't be used.
        DataError: the test set is not the one that the manifest names.
    """
    try:
        content = model.read_bytes()
    except OSError as error:
        raise RunError(f"{model}: expected a model's file, got none: {error.strerror}") from None
    manifest = read_manifest(manifest_path or model.with_suffix(".json"))
    fault = diagnose_file(content, manifest, model.parent)
    if fault is not None:
        return _show(fault)
    network = read_stored_network(content)
    logits = None if logits_path is None else _read_logits(logits_path)
    click.echo(f"{model.name}: the file that was exported, {_describe_depth(manifest)}")

    # Torch comes in with the data; a mistake in the files above is told in a blink.
    from bnbench.data import load_fashion_mnist

    test = load_fashion_mnist(data_dir).test
    named = manifest["data"]["test_images_sha256"], manifest["data"]["test_labels_sha256"]
    if named != (test.images_sha256, test.labels_sha256):
        raise DataError(
            f"expected the test set that the model's manifest names ({manifest['data']['name']}), "
            "got another one; name its folder by --data-dir"
        )
    images, labels = test.images.numpy(), test.labels.numpy()
    reference = make_reference(model.name, manifest["variant"]["name"], network, images, labels)
    _show_certificate(reference.certificate, len(images))
    if logits is None:
        return 0
    if logits.shape != reference.logits.shape:
        raise RunError(
            f"{logits_path}: expected logits of shape {reference.logits.shape}, a row for each "
            f"test image and a column for each class, got shape {logits.shape}"
        )
    record = compare_logits(reference, "logits", "unknown", logits)
    _show_comparison(record)
    if record.status != "agreed":
        fault = diagnose_logits(
            network,
            manifest,
            logits,
            images,
            labels,
            certificate=reference.certificate,
            folder=model.parent,
        ) or Fault("unknown", str(record.reason))
    elif correct is not None:
        fault = diagnose_score(logits.argmax(axis=1), labels, correct)
    if fault is not None:
        return _show(fault)
    click.echo("agreed: rounding explains every difference")
    return 0


def _read_logits(path: Path) -> NDArray[np.floating[Any]]:
    """Read a NumPy file of finite floating-point numbers; what needs pickle is refused."""
    try:
        logits = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RunError(f"{path}: expected logits in NumPy's .npy format: {error}") from None
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


def _describe_depth(manifest: dict[str, Any]) -> str:
    if "network" not in manifest:
        return "by its hash (its manifest, of an older bnbench, describes no tensors)"
    return f"by its hash and by each of its {len(manifest['network']['tensors'])} tensors"


def _show_certificate(certificate: Certificate | None, num_images: int) -> None:
    if certificate is None:
        click.echo("certified: nothing, since the bound covers linear, BatchNorm and ReLU alone")
        return
    click.echo(
        f"certified: {certificate.certified.sum():,} of {num_images:,} predictions are the same in "
        "every binary32 runtime"
    )


def _show_comparison(record: AgreementRecord) -> None:
    """Say how near a runtime's logits and predictions are to the reference's."""
    total, differing = record.total or 0, record.differing or 0
    click.echo(
        f"predictions: {total - differing:,} of {total:,} are the same; {differing:,} differ, "
        f"{record.explained or 0:,} of them explained by rounding"
    )
    text = f"logits: the largest difference is {record.max_abs_diff:.3g}"
    if record.max_bound_share is not None:
        text += f"; the largest share of the certified bound is {record.max_bound_share:.3g}"
    click.echo(text)


def _show(fault: Fault) -> int:
    click.echo(f"fault: {fault.name}: {fault.text}")
    return DisagreementError.exit_code
