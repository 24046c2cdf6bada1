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
