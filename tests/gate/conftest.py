"""A scratch project under git, with benchmarks that take microseconds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

WORK = """
def work(steps):
    total = 0
    for step in range(steps):
        total += step * step % 7
    return total
"""
SUITE = """
import pytest
from scratch_project import work

@pytest.mark.parametrize("steps", [100, 300])
def test_work(benchmark, steps):
    assert benchmark(work, steps) > 0

def test_work_with_setup(benchmark, tmp_path):
    made = tmp_path / "made"
    made.touch()
    result = benchmark.pedantic(
        lambda steps: made.exists() and work(steps), setup=lambda: ((200,), {}), rounds=5
    )
    assert result > 0
    assert benchmark.stats.stats.median > 0

def test_nothing_to_time():
    raise AssertionError("plain tests are not run")
"""

Commit = Callable[[dict[str, str]], str]
"""Writes files, commits them and gives the hash."""


def run_git(folder: Path, *arguments: str) -> str:
    names = {f"GIT_{role}_NAME": "a test" for role in ("AUTHOR", "COMMITTER")}
    emails = {f"GIT_{role}_EMAIL": "test@localhost" for role in ("AUTHOR", "COMMITTER")}
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **names, **emails},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def write_files(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    run_git(folder, "init", "-q", "-b", "main")
    write_files(folder, {"scratch_project/__init__.py": WORK, "test_scratch.py": SUITE})
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def commit(project: Path) -> Commit:
    def write_and_commit(files: dict[str, str]) -> str:
        write_files(project, files)
        run_git(project, "add", "--all")
        run_git(project, "commit", "-q", "-m", "next")
        return run_git(project, "rev-parse", "HEAD")

    return write_and_commit
