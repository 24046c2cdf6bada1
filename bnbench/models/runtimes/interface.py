"""What every runtime can do: load an exported model and give its logits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # choosing among runtimes must not wait for NumPy
    import numpy as np
    from numpy.typing import NDArray


class LoadedModel(Protocol):
    """An exported model, ready to be evaluated."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        """Evaluate the model.

        Args:
            images: uint8, shape (num_images, 28, 28).

        Returns:
            Shape (num_images, 10), in the runtime's own precision.
        """


class Runtime(Protocol):
    """One way to evaluate exported models."""

    name: str
    """As it is asked for, such as ``torchscript``."""
    version: str
    """The software that evaluates and its version, such as ``torch 2.14.1``."""

    def load(self, model: Path) -> LoadedModel:
        """Load a model whose hash was checked; its manifest lies beside it.

        Raises:
            RunError: the runtime cannot load it.
        """
