"""Inputs as small pictures for the report: bytes of gray or color, if they are images."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.records import IMAGE_CHANNELS

LARGEST_SIDE = 96
"""Pixels of a picture's longer side; of larger images every second, third, ... pixel is kept."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """The images of a data set, drawn one at a time."""

    inputs: NDArray[Any]
    """Shape (n, height, width) or (n, channels, height, width)."""
    low: float
    """What is drawn black."""
    high: float
    """What is drawn white."""

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width, and 3 for color."""
        return self._take(0).shape

    def encode(self, number: int) -> str:
        """Encode an image's bytes, 0 black to 255 white, in base64."""
        image = self._take(number).astype(np.float64)
        scaled = np.rint((image - self.low) * (255 / (self.high - self.low)))
        return base64.b64encode(scaled.astype(np.uint8).tobytes()).decode()

    def _take(self, number: int) -> NDArray[Any]:
        image: NDArray[Any] = self.inputs[number]
        if image.ndim == 3:
            image = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        step = -(-max(image.shape[:2]) // LARGEST_SIDE)
        thinned: NDArray[Any] = image[::step, ::step]
        return thinned


def find_pictures(inputs: NDArray[Any]) -> Pictures | None:
    """Find the pictures in stored inputs; None if the inputs are no images."""
    is_image = inputs.ndim == 3 or (inputs.ndim == 4 and inputs.shape[1] in IMAGE_CHANNELS)
    if not is_image:
        return None
    if inputs.dtype == np.uint8:
        return Pictures(inputs, 0.0, 255.0)
    low, high = float(inputs.min()), float(inputs.max())
    return Pictures(inputs, low, high if high > low else low + 1.0)
