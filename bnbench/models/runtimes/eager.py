"""The eager runtime: the network rebuilt as a PyTorch module, with the weights in the file."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.models.exported_model import ExportedModel
from bnbench.models.runtimes.interface import Runtime
from bnbench.models.torch_network import compute_logits, rebuild_network


class EagerRuntime(Runtime):
    """Builds the manifest's variant; the file's own code is not used."""

    name = "eager"
    version = f"torch {torch.__version__}"

    def evaluate_model(
        self, model: ExportedModel, images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """See `Runtime`."""
        return compute_logits(rebuild_network(model), torch.tensor(images)).numpy()
