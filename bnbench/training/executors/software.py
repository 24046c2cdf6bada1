"""The software that must be the same on every node, so that trials give the same bits."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

import bnbench
from bnbench import _native


@dataclass(frozen=True)
class SoftwareRecord:
    """The software of one process."""

    bnbench: str
    sources_sha256: str
    """Of the package's Python sources and its native module."""
    torch: str
    instruction_set: str
    """What the native engine computes with: its bits depend on it."""

    def list_differences(self, other: SoftwareRecord) -> list[str]:
        """Say what `other` has in place of what is required, one text each."""
        names = {
            "bnbench": "bnbench",
            "sources_sha256": "bnbench with the sources",
            "torch": "torch",
            "instruction_set": "the instruction set",
        }
        return [
            f"expected {name} {mine[:16]}, got {theirs[:16]}"
            for field, name in names.items()
            if (mine := getattr(self, field)) != (theirs := getattr(other, field))
        ]


@functools.cache
def describe_software() -> SoftwareRecord:
    """The software of this process."""
    return SoftwareRecord(
        bnbench=bnbench.__version__,
        sources_sha256=hash_files(Path(bnbench.__file__).parent, _list_sources()),
        torch=torch.__version__,
        instruction_set=_native.ensemble_instruction_sets()[0],
    )


def hash_files(folder: Path, paths: list[Path]) -> str:
    """Hash files with their names within `folder` (by file name where they lie elsewhere)."""
    digest = hashlib.sha256()
    for path in paths:
        name = path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)
        content = path.read_bytes()
        digest.update(f"{name.as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _list_sources() -> list[Path]:
    return [*sorted(Path(bnbench.__file__).parent.rglob("*.py")), Path(_native.__file__)]


def describe_mismatch(node: str, required: SoftwareRecord, found: SoftwareRecord) -> str | None:
    """Say why a node must not run trials; None if it may."""
    if required == found:
        return None
    return (
        f"node {node}: {'; '.join(required.list_differences(found))}. Trials of one run need the "
        "same software on every node: install the same packages there, or leave the node out"
    )
