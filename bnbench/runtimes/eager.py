"""The eager runtime: a PyTorch module called batch by batch, in evaluation mode."""

from __future__ import annotations

import torch
from torch import nn

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
