"""A model's file against what its manifest says of the network, without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bnbench.errors import RunError
from bnbench.models.diagnosis.faults import Fault
from bnbench.models.manifest import read_manifest
from bnbench.models.stored_network import StoredNetwork, describe_tensor, read_stored_network

EXPORT_AGAIN = "export the model again, or copy file and manifest anew from where they were made"


def diagnose_file(
    content: bytes, manifest: Mapping[str, Any], folder: Path | None = None
) -> Fault | None:
    """Say what is wrong with a model's file.

    Args:
        content: the bytes of the ``.pt`` file; no code in them is run.
        manifest: as `read_manifest` gives it, so its own seal was checked.
        folder: where the manifests of other models lie, to see if one of them is the file's.

    Returns:
        None if the file is the one that was exported, in evaluation mode.
    """
    is_the_one = hashlib.sha256(content).hexdigest() == manifest["model"]["sha256"]
    try:
        network = read_stored_network(content)
    except RunError as error:
        if is_the_one:
            return None  # a kind of network that can't be read here; it was exported like this
        return _find_owner(content, folder) or Fault(
            "file_damaged", f"the model's file can't be read: {error}; {EXPORT_AGAIN}"
        )
    if network.modules_in_training:
        names = ", ".join(name or "the whole network" for name in network.modules_in_training)
        return Fault(
            "training_mode",
            f"the model was saved in training mode ({names}), in which batch normalization uses "
            "each batch's own statistics; call eval() before exporting, and export again",
        )
    if "network" not in manifest:
        if is_the_one:
            return None
        return _find_owner(content, folder) or Fault(
            "file_altered",
            "the file is not the one that was exported, and its manifest, of an older bnbench, "
            f"does not describe the tensors, so which of them differ can't be told; {EXPORT_AGAIN}",
        )
    fault = _compare_network(network, manifest["network"])
    if fault is not None and fault.name == "foreign_manifest":
        return _find_owner(content, folder) or fault
    if fault is None and not is_the_one:
        return Fault(
            "file_altered",
            "every tensor and constant is the one that was exported, yet the file is another one: "
            "its code or its packing was changed. A TorchScript file is code, so don't load it; "
            f"{EXPORT_AGAIN}",
        )
    return fault


def list_other_manifests(folder: Path | None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The manifests in a folder that can be read, by name."""
    for path in sorted(folder.glob("*.json")) if folder is not None else []:
        try:
            manifest = read_manifest(path)
        except RunError:
            continue  # some other JSON file, or one that tells nothing
        yield path, manifest


def _find_owner(content: bytes, folder: Path | None) -> Fault | None:
    digest = hashlib.sha256(content).hexdigest()
    for path, manifest in list_other_manifests(folder):
        if manifest["model"]["sha256"] == digest:
            return Fault(
                "foreign_manifest",
                f"the file is another model's: it is the one that {path.name} describes, and was "
                f"exported as {manifest['model']['file']}; put each model beside its own manifest",
            )
    return None


def _compare_network(network: StoredNetwork, expected: Mapping[str, Any]) -> Fault | None:
    """Hold tensors and constants against the manifest's entry ``network``."""
    found = {name: describe_tensor(values) for name, values in network.tensors.items()}
    wanted = expected["tensors"]
    if {n: (t["shape"], t["dtype"]) for n, t in found.items()} != {
        n: (t["shape"], t["dtype"]) for n, t in wanted.items()
    }:
        missing = sorted(wanted.keys() ^ found.keys())
        differing = missing or [n for n in wanted if wanted[n]["shape"] != found[n]["shape"]]
        return Fault(
            "foreign_manifest",
            "the file holds a network of another architecture than the manifest describes "
            f"({', '.join(differing)} differ); put each model beside its own manifest",
        )
    altered = [name for name in wanted if wanted[name]["sha256"] != found[name]["sha256"]]
    # Two trials share counters and, untrained, scales and shifts; never a weight.
    matrices = [name for name in wanted if len(wanted[name]["shape"]) == 2]
    if set(matrices) <= set(altered) and (len(matrices) > 1 or len(altered) == len(wanted)):
        return Fault(
            "foreign_manifest",
            "no weight matrix is the one that the manifest describes, so file and manifest belong "
            "to two different models (or to two trainings of the same one); put each model beside "
            "its own manifest",
        )
    wrong = [
        f"{name} is {network.constants.get(name, 'missing')} and was {value} when exported"
        for name, value in expected["constants"].items()
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
