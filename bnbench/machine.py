"""The machine: processor, cores and memory. Standard library only."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def read_cpu_name() -> str:
    """Read the processor's model name; its architecture where the system has no name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def count_cores() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stop_spinning() -> None:
    """Let OpenMP's threads sleep while they wait; call it before torch is imported.

    By default they spin for a while, and so keep a core from the thread they wait for where
    another program computes beside them. Programs started later inherit the setting.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def read_memory_bytes() -> int | None:
    """Read the size of the machine's memory in bytes; None where it is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def read_load() -> float | None:
    """Programs that ran or waited for a processor, on average over the last minute.

    None if the system does not say.
    """
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def describe_system() -> str:
    """Describe the operating system, its release and the processor architecture."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"
