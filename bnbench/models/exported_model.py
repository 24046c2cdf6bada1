"""An exported model, opened once: its file's bytes, its manifest and the network in them.

Everything that handles a model (runtimes, certificate, agreement, diagnosis) is given one of these.
It does not evaluate the network and needs no torch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bnbench.errors import RunError
from bnbench.models.export_archive import is_export_archive
from bnbench.models.export_graph import read_export_graph
from bnbench.models.graph import Graph, UncoveredError
from bnbench.models.manifest import Manifest, describe_tensor, read_manifest
from bnbench.models.stored_network import StoredNetwork, read_stored_network, read_stored_tensors
from bnbench.specs import DataShape, TrialSpec


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """A TorchScript file and its manifest."""

    path: Path
    """The ``.pt`` file; the C++ program reads it again by itself."""
    content: bytes
    """The file's bytes. They hold code: run them only if `is_unaltered`."""
    manifest: Manifest
    """As `read_manifest` gives it: nobody altered it since the export."""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @cached_property
    def is_unaltered(self) -> bool:
        """Whether the file's SHA-256 is the one in the manifest."""
        return hashlib.sha256(self.content).hexdigest() == self.manifest.model.sha256

    @cached_property
    def network(self) -> StoredNetwork:
        """The network in the file, read once and without running any of its code.

        Raises:
            RunError: the file is damaged, or its network is no plain stack of known layers, nor an
                own network.
        """
        variant, described = self.manifest.variant, self.manifest.network
        try:
            if variant is not None and variant.own_code is not None and described is not None:
                return read_stored_tensors(self.content, described.tensors)
            return read_stored_network(self.content)
        except RunError as error:
            raise RunError(f"{self.path}: {error}") from None

    @cached_property
    def graph(self) -> Graph:
        """The network as a graph of operators: from its archive, its layers, or an archive beside.

        An archive beside a TorchScript file counts only if it holds the same tensors.

        Raises:
            UncoveredError: the network is known as code alone, or holds an unknown operator.
            RunError: the file is damaged.
        """
        try:
            if is_export_archive(self.content):
                return read_export_graph(self.content, self.manifest.output.element)
        except UncoveredError as error:
            raise UncoveredError(f"{self.path}: {error}") from None
        except RunError as error:
            raise RunError(f"{self.path}: {error}") from None
        if self.network.layers:
            return self.network.graph
        beside = self.path.with_suffix(".pt2")
        try:
            content = beside.read_bytes()
        except OSError:
            raise UncoveredError(
                f"{self.path.name}: expected known layers or a torch.export archive beside it, got "
                "code alone; export a .pt2 too with --formats pt,pt2"
            ) from None
        graph = read_export_graph(content, self.manifest.output.element)
        self._require_same_tensors(beside, graph)
        return graph

    def _require_same_tensors(self, path: Path, graph: Graph) -> None:
        described = self.manifest.network.tensors if self.manifest.network else {}
        if not described:
            raise UncoveredError(
                f"{path}: expected a manifest of {self.path.name} with its tensors, got one "
                "without; verify the archive itself"
            )
        for name, expected in described.items():
            found = graph.tensors.get(name)
            if found is None or describe_tensor(found) != expected:
                raise UncoveredError(
                    f"{path}: expected the tensors of {self.path.name}, got another {name}; "
                    "export both again"
                )

    @property
    def shape(self) -> DataShape:
        """What the network takes and gives, by the manifest."""
        given, steps = self.manifest.input, self.manifest.input.preprocessing
        sizes = [step.shape for step in steps if step.shape is not None]
        return DataShape(sizes[-1] if sizes else given.shape, self.manifest.output.num_classes)


def read_model(path: Path, manifest_path: Path | None = None) -> ExportedModel:
    """Read a model's file and its manifest, the one beside it unless another is named.

    The hash is not compared, so that `diagnose_file` can say what is wrong.

    Raises:
        RunError: the file or the manifest cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: expected a model's file, got none: {error.strerror}") from None
    return ExportedModel(path, content, read_manifest(manifest_path or name_manifest(path)))


def name_manifest(path: Path) -> Path:
    """The manifest's path: ``a.json`` for ``a.pt``, ``a.pt2.json`` for ``a.pt2``.

    So a model in several formats has a manifest for each.
    """
    appends = path.suffix in {".pt2", ".onnx"}
    return path.with_name(path.name + ".json") if appends else path.with_suffix(".json")


def name_model_file(trial: TrialSpec) -> str:
    """The name of the file that a trial's model is exported to."""
    return f"{trial.key}.pt"
