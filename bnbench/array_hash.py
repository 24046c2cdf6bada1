"""The hash of an array's values, which does not depend on the file that holds them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def hash_values(values: NDArray[Any]) -> str:
    """The SHA-256 of an array's values, little-endian and in C order."""
    little_endian = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return hashlib.sha256(little_endian.data).hexdigest()


def hash_as_idx(values: NDArray[Any]) -> str | None:
    """The SHA-256 of the IDX file that would hold the array; None if none can."""
    if values.dtype != np.uint8 or values.ndim not in (1, 3):
        return None
    header = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return hashlib.sha256(header + values.tobytes()).hexdigest()
