"""The eager runtime: a PyTorch module called batch by batch, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bnbench.errors import RunError
from bnbench.mapping import build_from_mapping
from bnbench.models.manifest import read_manifest
from bnbench.models.stored_network import read_stored_network
from bnbench.networks import build_network
from bnbench.specs import VariantSpec

BATCH_SIZE = 1000
"""Images a call, the same in every runtime: another batch size may round otherwise."""


def compute_logits(
    network: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    batch_size: int = BATCH_SIZE,
) -> torch.Tensor:
    """Run a network (a module, a loaded TorchScript module, compiled code) over images.

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


def read_variant(model: Path) -> VariantSpec:
    """The variant that the manifest beside `model` names.

    Raises:
        RunError: the manifest is missing or was altered.
    """
    manifest = read_manifest(model.with_suffix(".json"))
    return build_from_mapping(VariantSpec, manifest["variant"], "variant")


def rebuild_network(model: Path) -> nn.Module:
    """Build the manifest's variant in evaluation mode with the weights that stand in the file.

    Raises:
        RunError: manifest or file can't be read, or the weights are not those of the variant.
    """
    variant = read_variant(model)
    network = build_network(variant)
    tensors = read_stored_network(model.read_bytes()).tensors
    try:
        network.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()})
    except RuntimeError as error:
        raise RunError(
            f"{model}: expected the weights of its manifest's variant {variant.name!r}, got "
            f"others; export the model again ({error})"
        ) from None
    return network.eval()


def collect_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers that evaluation depends on, by their names."""
    return {
        name: tensor
        for name, tensor in network.state_dict().items()
        # Batch normalization counts the batches it was trained on, and never looks again.
        if not name.endswith(".num_batches_tracked")
    }


class TorchModel:
    """What torch can call with a batch of images, as a `LoadedModel`."""

    def __init__(self, network: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._network = network

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `LoadedModel`."""
        values: NDArray[np.float32] = compute_logits(self._network, torch.tensor(images)).numpy()
        return values


class EagerRuntime:
    """Rebuilds the manifest's variant and gives it the weights that stand in the file."""

    name = "eager"
    version = f"torch {torch.__version__}"

    def load(self, model: Path) -> TorchModel:
        """See `Runtime`."""
        return TorchModel(rebuild_network(model))


def open_runtime(models: Sequence[Path], data_folder: Path) -> EagerRuntime:  # noqa: ARG001
    """See `bnbench.models.runtimes`."""
    return EagerRuntime()
