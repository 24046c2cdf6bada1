"""The torchscript runtime: the exported file as it is, loaded by PyTorch in this process."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.exported_model import ExportedModel
from bnbench.models.runtimes.interface import Runtime
from bnbench.models.torch_network import compute_logits


class TorchScriptRuntime(Runtime):
    """Runs the file's code and weights, in the mode that the file was saved in."""

    name = "torchscript"
    version = f"torch {torch.__version__}"

    def evaluate_model(
        self, model: ExportedModel, images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """See `Runtime`."""
        with warnings.catch_warnings():
            # torch announces that torch.export will replace TorchScript; see docs/architecture.md.
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is deprecated")
            try:
                network = torch.jit.load(io.BytesIO(model.content))
            except RuntimeError as error:
                raise RunError(
                    f"{model.path}: expected a TorchScript file, got what torch cannot load: "
                    f"{str(error).strip().splitlines()[0]}"
                ) from None
        return compute_logits(network, torch.tensor(images)).numpy()
