"""An exported model's network as a ``torch.export`` archive (``.pt2``) with a manifest of its own.

The archive holds a graph of operators and raw weights, and no code: the runtime ``portable`` reads
it without LibTorch.
"""

from __future__ import annotations

import functools
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import torch

from bnbench.errors import RunError
from bnbench.models.exported_model import ExportedModel, name_manifest
from bnbench.models.manifest import ModelFile, make_manifest
from bnbench.models.torch_network import rebuild_network
from bnbench.networks import build_network
from bnbench.specs import DataShape, VariantSpec


def make_archive_files(model: ExportedModel) -> dict[str, bytes]:
    """Make ``<trial>.pt2`` and ``<trial>.pt2.json`` of a model that bnbench trained.

    The manifest expects what the model's own manifest expects: the same predictions and logits.

    Returns:
        Both files' bytes by name; the manifest is last, so an archive with one is complete.

    Raises:
        RunError: the model's file can't be read, or torch.export can't export its network.
    """
    state = rebuild_network(model).state_dict()
    content = serialize_archive(model.manifest.get_variant(), state, model.shape)
    name = model.path.with_suffix(".pt2").name
    digest = hashlib.sha256(content).hexdigest()
    manifest = replace(model.manifest, model=ModelFile(name, digest, len(content), "pt2"))
    return {name: content, name_manifest(Path(name)).name: make_manifest(manifest)}


def serialize_archive(
    variant: VariantSpec, state: dict[str, torch.Tensor], shape: DataShape
) -> bytes:
    """The bytes of a variant's archive with the given weights, in evaluation mode.

    They are made in memory: the archive's folder has the file's name otherwise.
    """
    program = export_program(variant, shape)
    with torch.no_grad():
        for name, tensor in program.state_dict.items():
            tensor.copy_(state[name])
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


@functools.cache
def export_program(variant: VariantSpec, shape: DataShape) -> torch.export.ExportedProgram:
    """Export a variant once, for any batch size; its weights are set anew for every archive.

    Raises:
        RunError: torch.export can't export it, which happens to an own network alone.
    """
    network = build_network(variant, shape).eval()
    # Not 0 or 1, which torch.export takes for sizes of their own.
    example = torch.zeros(2, *shape.input_shape)
    try:
        program = torch.export.export(
            network, (example,), dynamic_shapes=({0: torch.export.Dim("num_inputs")},)
        )
    except Exception as error:  # the exporter has errors of many kinds
        (reason, *_) = str(error).strip().splitlines() or [repr(error)]
        raise RunError(
            f"{variant.name}: expected a network that torch.export can export for any batch size, "
            f"got: {reason}; correct its code, or leave pt2 out of the formats"
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the exporter's own folders
    return program
