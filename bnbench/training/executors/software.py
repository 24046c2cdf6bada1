"""The software that must be the same on every node, so that trials give the same bits."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import torch

import bnbench
from bnbench import _native
from bnbench.files import hash_files


@functools.cache
def describe_software() -> Mapping[str, str]:
    """Describe the software of this process: versions, hashes and instruction set, by name."""
    folder = Path(bnbench.__file__).parent
    return {
        "bnbench": bnbench.__version__,
        "bnbench with the sources": hash_files(
            [*sorted(folder.rglob("*.py")), Path(_native.__file__)], folder
        ),
        "torch": torch.__version__,
        # The native engine's bits depend on it.
        "the instruction set": _native.ensemble_instruction_sets()[0],
    }


def describe_mismatch(
    node: str, required: Mapping[str, str], found: Mapping[str, str]
) -> str | None:
    """Say why a node must not run trials; None if it may."""
    differences = [
        f"expected {name} {value[:16]}, got {found[name][:16]}"
        for name, value in required.items()
        if found[name] != value
    ]
    if not differences:
        return None
    return (
        f"node {node}: {'; '.join(differences)}. Trials of one run need the same software on "
        "every node: install the same packages there, or leave the node out"
    )
