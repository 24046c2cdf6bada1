"""What is wrong with a model's file: its bytes and tensors against its manifest, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bnbench.errors import RunError
from bnbench.models.diagnosis.faults import Fault
from bnbench.models.exported_model import ExportedModel
from bnbench.models.manifest import Manifest, NetworkDescription, describe_tensor, read_manifest
from bnbench.models.stored_network import StoredNetwork

EXPORT_AGAIN = "export the model again, or copy file and manifest anew from where they were made"


def diagnose_file(model: ExportedModel) -> Fault | None:
    """Say what is wrong with a model's file; no code in it is run.

    The manifests beside the file are searched for the one that the file belongs to.

    Returns:
        None if the file is the one that was exported, in evaluation mode.
    """
    try:
        network = model.network
    except RunError as error:
        if model.is_unaltered:
            return None  # a kind of network that can't be read here, exported like this
        return _find_owner(model) or Fault(
            "file_damaged", f"the model's file can't be read: {error}; {EXPORT_AGAIN}"
        )
    if network.modules_in_training:
        names = ", ".join(name or "the whole network" for name in network.modules_in_training)
        return Fault(
            "training_mode",
            f"the model was saved in training mode ({names}), in which batch normalization uses "
            "each batch's own statistics; call eval() before exporting, and export again",
        )
    expected = model.manifest.network
    if expected is None:
        if model.is_unaltered:
            return None
        return _find_owner(model) or Fault(
            "file_altered",
            "the file is not the one that was exported, and its manifest, of an older bnbench, "
            f"does not describe the tensors, so which of them differ is unknown; {EXPORT_AGAIN}",
        )
    fault = _compare_network(network, expected)
    if fault is not None and fault.name == "foreign_manifest":
        return _find_owner(model) or fault
    if fault is None and not model.is_unaltered:
        return Fault(
            "file_altered",
            "every tensor and constant is the one that was exported, yet the file is another one: "
            "its code or its packing was changed. A TorchScript file is code, so don't load it; "
            f"{EXPORT_AGAIN}",
        )
    return fault


def list_manifests(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    """The manifests in a folder, by name; other JSON files are skipped."""
    for path in sorted(folder.glob("*.json")):
        try:
            yield path, read_manifest(path)
        except RunError:
            continue


def _find_owner(model: ExportedModel) -> Fault | None:
    """The other model in the same folder whose manifest describes this file."""
    for path, manifest in list_manifests(model.path.parent):
        if ExportedModel(model.path, model.content, manifest).is_unaltered:
            return Fault(
                "foreign_manifest",
                f"the file is another model's: it is the one that {path.name} describes, and was "
                f"exported as {manifest.model.file}; put each model beside its own manifest",
            )
    return None


def _compare_network(network: StoredNetwork, expected: NetworkDescription) -> Fault | None:
    """Compare tensors and constants with the manifest's entry ``network``."""
    found = {name: describe_tensor(values) for name, values in network.tensors.items()}
    wanted = expected.tensors
    if {n: (t.shape, t.dtype) for n, t in found.items()} != {
        n: (t.shape, t.dtype) for n, t in wanted.items()
    }:
        missing = sorted(wanted.keys() ^ found.keys())
        differing = missing or [n for n in wanted if wanted[n].shape != found[n].shape]
        return Fault(
            "foreign_manifest",
            "the file holds a network of another architecture than the manifest describes "
            f"({', '.join(differing)} differ); put each model beside its own manifest",
        )
    altered = [name for name in wanted if wanted[name] != found[name]]
    # Two trials may share counters, scales and shifts, but never a weight matrix.
    matrices = [name for name in wanted if len(wanted[name].shape) == 2]
    if set(matrices) <= set(altered) and (len(matrices) > 1 or len(altered) == len(wanted)):
        return Fault(
            "foreign_manifest",
            "no weight matrix is the one that the manifest describes, so file and manifest belong "
            "to two different models (or to two trainings of the same one); put each model beside "
            "its own manifest",
        )
    wrong = [
        f"{name} is {network.constants.get(name, 'missing')} and was {value} when exported"
        for name, value in expected.constants.items()
        if network.constants.get(name) != value
    ]
    if altered:
        parts = [f"{', '.join(altered)} {'is' if len(altered) == 1 else 'are'} not as exported"]
        text = f"{'; '.join(parts + wrong)}; every other tensor is. {EXPORT_AGAIN.capitalize()}"
        return Fault("parameter_altered", text)
    if wrong:
        return Fault(
            "constant_altered",
            f"{'; '.join(wrong)}; every tensor is as exported. {EXPORT_AGAIN.capitalize()}",
        )
    return None
