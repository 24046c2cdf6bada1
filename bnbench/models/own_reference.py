"""The reference of an own network: PyTorch evaluates it in binary64, and no bound covers it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.data import scale_inputs
from bnbench.models.agreement import Reference
from bnbench.models.certificate import Refusal
from bnbench.models.exported_model import ExportedModel
from bnbench.models.torch_network import compute_logits, rebuild_network

IMAGES_AT_ONCE = 250
"""Values in binary64 take twice the memory."""


def make_own_reference(
    model: ExportedModel, inputs: NDArray[Any], labels: NDArray[np.uint8], reason: str
) -> Reference:
    """Evaluate an own network in binary64; in binary32 if its code computes in nothing else.

    `reason` is why no bound covers it.

    Raises:
        RunError: the network can't be built again from the copy of its code.
    """
    stored = torch.tensor(inputs)
    try:
        doubled = rebuild_network(model).double()
        with torch.inference_mode():
            parts = [
                doubled(scale_inputs(batch).double()) for batch in stored.split(IMAGES_AT_ONCE)
            ]
        logits = torch.cat(parts).double().numpy()
    except RuntimeError:  # of mixed types
        logits = compute_logits(rebuild_network(model), stored, IMAGES_AT_ONCE).double().numpy()
        reason += "; the reference is eager PyTorch in binary32, since its code needs that"
    return Reference(model, labels, logits, Refusal("not covered", reason))
