"""The libtorch runtime: the C++ program ``bnbench-eval``, which shares no Python with us."""

from __future__ import annotations

from pathlib import Path

from bnbench.models.runtimes.program import ProgramRuntime, find_program

BINARY = "bnbench-eval"


def find_binary() -> Path:
    """Find ``bnbench-eval``; see `find_program`."""
    return find_program(BINARY)


class LibTorchRuntime(ProgramRuntime):
    """Evaluates the TorchScript files with LibTorch."""

    name = "libtorch"
    program = BINARY
