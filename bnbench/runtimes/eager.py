"""The eager runtime: a PyTorch module called batch by batch, in evaluation mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bnbench.manifests import read_manifest
from bnbench.mapping import build_from_mapping
from bnbench.networks import build_network
from bnbench.specs import VariantSpec
from bnbench.stored_network import read_stored_network

BATCH_SIZE = 1000
"""Images a call, the same in every runtime: another batch size may round otherwise."""


def compute_logits(
    network: nn.Module, images: torch.Tensor, batch_size: int = BATCH_SIZE
) -> torch.Tensor:
    """Run a network (or a loaded TorchScript module) over images.

    Args:
        network: in evaluation mode; takes (N, 1, 28, 28) float32 with pixels in [0, 1].
        images: uint8, shape (num_images, 28, 28).
        batch_size: images a call.

    Returns:
        float32, shape (num_images, 10), on the CPU.
    """
    with torch.inference_mode():
        return torch.cat(
            [
                network(batch.unsqueeze(1).to(torch.float32).div_(255)).cpu()
                for batch in images.split(batch_size)
            ]
        )


class ModuleModel:
    """A PyTorch or TorchScript module as a `LoadedModel`."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `LoadedModel`."""
        values: NDArray[np.float32] = compute_logits(self._module, torch.tensor(images)).numpy()
        return values


class EagerRuntime:
    """Rebuilds the manifest's variant and gives it the weights that stand in the file."""

    name = "eager"
    version = f"torch {torch.__version__}"

    def load(self, model: Path) -> ModuleModel:
        """See `Runtime`."""
        manifest = read_manifest(model.with_suffix(".json"))
        network = build_network(build_from_mapping(VariantSpec, manifest["variant"], "variant"))
        tensors = read_stored_network(model.read_bytes()).tensors
        network.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()})
        return ModuleModel(network.eval())


def open_runtime(models: Sequence[Path], data_folder: Path) -> EagerRuntime:  # noqa: ARG001
    """See `bnbench.runtimes`."""
    return EagerRuntime()
