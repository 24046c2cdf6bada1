"""The machine, its devices and its software, as they are recorded with a run."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import torch

import bnbench
from bnbench import _native
from bnbench.errors import SpecError
from bnbench.machine import count_cores, describe_system, read_cpu_name, read_memory_bytes
from bnbench.records import EnvironmentRecord


def list_devices() -> dict[str, str]:
    """List the torch devices of this machine that bnbench can train on, with their model names."""
    devices = {"cpu": read_cpu_name()}
    for index in range(torch.cuda.device_count()):
        devices[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    if "cuda:0" in devices:
        devices["cuda"] = devices["cuda:0"]
    if torch.backends.mps.is_available():
        devices["mps"] = f"{platform.processor()} GPU"
    return devices


def require_devices(names: Iterable[str]) -> None:
    """Check that every device is on this machine.

    Raises:
        SpecError: a device is missing; the text lists those of this machine.
    """
    available = list_devices()
    for name in names:
        if name not in available:
            raise SpecError(
                f"devices: expected devices of this machine ({', '.join(available)}), got {name!r}"
            )


def describe_environment(
    devices: Iterable[str], native_threads: int | None = None
) -> EnvironmentRecord:
    """Describe this machine, its software, and those of `devices` that it has."""
    names = list_devices()
    return EnvironmentRecord(
        cpu=read_cpu_name(),
        cores=count_cores(),
        threads=torch.get_num_threads(),
        memory_bytes=read_memory_bytes(),
        devices={device: names[device] for device in devices if device in names},
        system=describe_system(),
        versions={
            "bnbench": bnbench.__version__,
            "python": platform.python_version(),
            **{
                name: importlib.metadata.version(name) for name in ("torch", "torchvision", "numpy")
            },
        },
        commit=_read_commit(),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        instruction_set=_native.ensemble_arithmetic(),
        native_threads=native_threads,
    )


def _read_commit() -> str | None:
    """Read the commit of the git checkout that bnbench runs from; None without one."""
    folder = Path(bnbench.__file__).parents[1]
    if not (folder / ".git").exists():
        return None
    git = functools.partial(subprocess.run, cwd=folder, capture_output=True, text=True, check=True)
    try:
        commit = git(["git", "rev-parse", "--short=12", "HEAD"]).stdout.strip()
        changes = git(["git", "status", "--porcelain", "--untracked-files=no"]).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changes else "")
