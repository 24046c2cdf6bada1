"""The torchscript runtime: the exported file as it is, loaded by PyTorch in this process."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from bnbench.errors import RunError
from bnbench.models.runtimes.eager import TorchModel


class TorchScriptRuntime:
    """Loads the file's code and weights with ``torch.jit.load``, and runs it in its own mode."""

    name = "torchscript"
    version = f"torch {torch.__version__}"

    def load(self, model: Path) -> TorchModel:
        """See `Runtime`."""
        with warnings.catch_warnings():
            # The announcement that torch.export will succeed TorchScript; docs/architecture.md.
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is deprecated")
            try:
                return TorchModel(torch.jit.load(io.BytesIO(model.read_bytes())))
            except RuntimeError as error:
                raise RunError(
                    f"{model}: expected a TorchScript file, got what torch cannot load: "
                    f"{str(error).strip().splitlines()[0]}"
                ) from None


def open_runtime(models: Sequence[Path], data_folder: Path) -> TorchScriptRuntime:  # noqa: ARG001
    """See `bnbench.models.runtimes`."""
    return TorchScriptRuntime()
