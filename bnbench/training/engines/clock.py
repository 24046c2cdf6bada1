"""A clock for one device: no reading is taken before the device has done what it was told."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


class DeviceClock:
    """Seconds on a monotonic clock, read once all work queued on a device is done."""

    def __init__(
        self, device: torch.device, read_seconds: Callable[[], float] = time.perf_counter
    ) -> None:
        self._synchronize = _find_synchronize(device)
        self._read_seconds = read_seconds

    def read(self) -> float:
        """Wait for the device, then return the time in seconds."""
        self._synchronize()
        return self._read_seconds()


def _find_synchronize(device: torch.device) -> Callable[[], None]:
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None
