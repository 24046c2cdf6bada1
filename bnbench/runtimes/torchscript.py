"""The torchscript runtime: the exported file as it is, loaded by PyTorch in this process."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from bnbench.runtimes.eager import ModuleModel


class TorchScriptRuntime:
    """Loads the file's code and weights with ``torch.jit.load``, and runs it in its own mode."""

    name = "torchscript"
    version = f"torch {torch.__version__}"

    def load(self, model: Path) -> ModuleModel:
        """See `Runtime`."""
        with warnings.catch_warnings():
            # The announcement that torch.export will succeed TorchScript; docs/architecture.md.
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is deprecated")
            return ModuleModel(torch.jit.load(io.BytesIO(model.read_bytes())))


def open_runtime(models: Sequence[Path], data_folder: Path) -> TorchScriptRuntime:  # noqa: ARG001
    """See `bnbench.runtimes`."""
    return TorchScriptRuntime()
