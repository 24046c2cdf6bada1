"""The eager runtime: the network rebuilt as a PyTorch module, with the weights in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.models.exported_model import ExportedModel
from bnbench.models.runtimes.interface import SingleModelRuntime
from bnbench.models.torch_network import evaluate_images, rebuild_network


class EagerRuntime(SingleModelRuntime):
    """Builds the manifest's variant; the file's own code is not used."""

    name = "eager"
    version = f"torch {torch.__version__}"

    def compute_logits(
        self, model: ExportedModel, images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """See `SingleModelRuntime`."""
        return evaluate_images(rebuild_network(model), images)


def open_runtime(data_folder: Path) -> EagerRuntime:  # noqa: ARG001
    """See `bnbench.models.runtimes`."""
    return EagerRuntime()
