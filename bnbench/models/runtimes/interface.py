"""What every runtime does: evaluate exported models and give their logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnbench.errors import RunError
from bnbench.records import VerificationStatus

if TYPE_CHECKING:  # listing the runtimes must not wait for NumPy
    import numpy as np
    from numpy.typing import NDArray

    from bnbench.models.exported_model import ExportedModel


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a runtime gives for one model."""

    logits: NDArray[np.floating[Any]] | None
    """Shape (num_images, 10), in the runtime's own precision; None if it can't evaluate the
    model."""
    status: VerificationStatus = "agreed"
    """``unusable`` if it can't evaluate the model; ``disagreed`` if the runtime compares the model
    with its manifest itself and finds a difference."""
    reason: str | None = None
    """Why the status is not ``agreed``."""


class Runtime:
    """One way to evaluate exported models.

    It overrides `evaluate_model`, or `evaluate` if it takes all models in one call.
    """

    name: str
    """As the user asks for it, such as ``torchscript``."""
    version: str
    """The software that evaluates and its version, such as ``torch 2.14.1``."""

    def __init__(self, data_folder: Path) -> None:
        """See `open_runtime`; RuntimeUnavailableError says why it does not work here."""

    def evaluate_model(
        self, model: ExportedModel, images: NDArray[np.uint8]
    ) -> NDArray[np.floating[Any]]:
        """The logits of one model, shape (num_images, 10); RunError if it can't be loaded."""
        raise NotImplementedError

    def evaluate(
        self, models: Sequence[ExportedModel], images: NDArray[np.uint8]
    ) -> Iterator[Evaluation]:
        """Evaluate models one after the other.

        Args:
            models: with the hash that their manifest names.
            images: uint8, shape (num_images, 28, 28).

        Yields:
            One evaluation per model, in the order of `models`.

        Raises:
            RuntimeUnavailableError: the runtime does not work on this machine.
        """
        for model in models:
            try:
                yield Evaluation(self.evaluate_model(model, images))
            except RunError as error:
                yield Evaluation(None, "unusable", str(error))
