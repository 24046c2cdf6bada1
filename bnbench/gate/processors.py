"""Two processors on which base and head can run at the same time."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

TOPOLOGY = "/sys/devices/system/cpu"


def choose_processors(topology: Path = Path(TOPOLOGY)) -> tuple[int, int] | None:
    """Choose two processors this process may use, of different cores if possible.

    Threads of one core slow each other down; both sides alike, so it costs only time.

    Args:
        topology: where Linux says which processors share a core.

    Returns:
        None if there is only one, or if the system does not let a process choose.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    pairs = list(itertools.combinations(sorted(os.sched_getaffinity(0)), 2))
    for first, second in pairs:
        if _read_core(topology, first) != _read_core(topology, second):
            return first, second
    return pairs[0] if pairs else None


def _read_core(topology: Path, processor: int) -> tuple[str, ...]:
    """Package and core of a processor; empty if the system does not say."""
    folder = topology / f"cpu{processor}" / "topology"
    try:
        return tuple((folder / name).read_text() for name in ("physical_package_id", "core_id"))
    except OSError:
        return ()
