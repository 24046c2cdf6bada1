"""A variant's network in PyTorch with an exported model's weights, and how batches are fed to it.

Not a runtime: the runtimes ``eager``, ``torchscript``, ``onnxruntime`` and ``aotinductor`` and the
export are built on it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from bnbench.data import scale_inputs
from bnbench.errors import RunError
from bnbench.models.exported_model import ExportedModel
from bnbench.networks import build_network
from bnbench.own_source import SOURCES_FOLDER, remember_sources

BATCH_SIZE = 1000
"""Images per call, the same in every runtime: another batch size may round differently."""


def compute_logits(
    network: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    batch_size: int = BATCH_SIZE,
) -> torch.Tensor:
    """Run a network (a module, a loaded TorchScript module, compiled code) over images.

    Args:
        network: in evaluation mode; takes float32 of shape (N, *input_shape).
        images: as stored, uint8 or float32, such as (num_images, 28, 28).
        batch_size: images per call.

    Returns:
        float32, shape (num_images, num_classes), on the CPU.
    """
    with torch.inference_mode():
        return torch.cat([network(scale_inputs(batch)).cpu() for batch in images.split(batch_size)])


def rebuild_network(model: ExportedModel) -> nn.Module:
    """Build the manifest's variant in evaluation mode with the weights in the model's file.

    Raises:
        RunError: the file can't be read, or its weights are not those of the variant.
    """
    # A model in a run's folder has its own code beside it.
    remember_sources(model.path.parent.parent / SOURCES_FOLDER)
    network = build_network(model.manifest.get_variant(), model.shape)
    tensors = {name: torch.tensor(value) for name, value in model.network.tensors.items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise RunError(
            f"{model.path}: expected the weights of its manifest's variant "
            f"{model.manifest.get_variant().name!r}, got others; export the model again ({error})"
        ) from None
    return network.eval()


def collect_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers that evaluation depends on, by their names."""
    return {
        name: tensor
        for name, tensor in network.state_dict().items()
        # Batch normalization counts the batches it was trained on; evaluation ignores the count.
        if not name.endswith(".num_batches_tracked")
    }
