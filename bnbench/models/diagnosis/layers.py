"""The outputs of each layer in binary64, to find the first layer of a runtime that is wrong."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.files import replace_file
from bnbench.models.reference import apply_layer, scale_pixels
from bnbench.models.stored_network import Images, StoredNetwork


def compute_layers(network: StoredNetwork, images: Images) -> dict[str, NDArray[Any]]:
    """Evaluate a stored network and keep what every layer gives.

    Returns:
        ``00_pixels``, binary32 of shape (num_images, 784), then each layer's outputs in binary64,
        shape (num_images, num_units), under its position and name, such as ``01_linear1``. The
        last ones are the logits.
    """
    values = scale_pixels(images)
    outputs: dict[str, NDArray[Any]] = {"00_pixels": values.astype(np.float32)}
    for position, layer in enumerate(network.layers, start=1):
        values = apply_layer(layer, values)
        outputs[f"{position:02}_{layer.name}"] = values
    return outputs


def write_layers(path: Path, network: StoredNetwork, images: Images) -> None:
    """Write `compute_layers` as a NumPy archive (``.npz``).

    Raises:
        RunError: the file cannot be written.
    """
    buffer = io.BytesIO()
    arrays: dict[str, Any] = dict(compute_layers(network, images))
    np.savez(buffer, **arrays)
    try:
        replace_file(path, buffer.getvalue())
    except OSError as error:
        raise RunError(
            f"{path}: expected a file that can be written, got: {error.strerror}; name another by "
            "--layers"
        ) from None


def advise_layers(model: Path) -> str:
    """Say how to find the first wrong layer; to be added to the text of an unknown fault."""
    return (
        f"To find the first wrong layer: 'bnbench diagnose {model} --layers layers.npz' writes "
        "what each must give, and docs/verify-a-model.md shows how to compare"
    )
