"""One small real run by the real program, shared by the tests that look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest


def run_bnbench(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bnbench", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
    )


@dataclass(frozen=True)
class FinishedRun:
    folder: Path
    process: subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Both networks, two seeds, one epoch, on the real data, by the reference engine."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    process = run_bnbench(
        "run", "--seeds", "0-1", "--epochs", 1, "--engine", "reference", "--out", folder
    )
    assert process.returncode == 0, process.stderr
    return FinishedRun(folder, process)
