"""Revisions laid out side by side: checked out and built once per commit, in a cache.

A revision is a clone that borrows the repository's objects (``git clone --shared``), not a
registered worktree: a kill at any moment leaves nothing in the repository to prune, and a build
finds real git metadata. An entry of the cache is complete once its stamp is written; one without
a stamp is made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bnbench.errors import GateError
from bnbench.gate.specs import SuiteSpec

WORKTREE = "worktree"
"""The name that stands for the files as they are, committed or not."""
STAMP = ".gate-complete"
STARTUP_FOLDER = Path(__file__).with_name("startup")
USERS_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
"""Variables by which people configure pytest; other ``PYTEST_*`` belong to a running session."""


@dataclass(frozen=True)
class RevisionFolder:
    """Where a revision lies, ready to run."""

    name: str
    """Name that the user gave, such as ``main``."""
    commit: str
    """Its full hash."""
    tree: Path
    """The checkout."""
    roots: tuple[Path, ...]
    """Folders to import its packages from, in this order."""

    def make_environment(self) -> dict[str, str]:
        """The environment variables with which a Python process imports from this revision.

        Those of a pytest session that started the gate are left out: pytest-benchmark refuses to
        run in a process that pytest-xdist seems to have started.
        """
        roots = os.pathsep.join(str(root) for root in self.roots)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PYTEST_") or name in USERS_VARIABLES
        }
        return {
            **inherited,
            "GATE_ROOTS": roots,
            "GATE_TREE": str(self.tree),
            "PYTHONPATH": os.pathsep.join([str(STARTUP_FOLDER), roots]),
        }


def find_repository(folder: Path) -> Path:
    """The root of the repository that `folder` lies in.

    Raises:
        GateError: it lies in none.
    """
    error = (
        f"{folder}: expected a folder inside a git repository, got none; "
        "change to the folder of the project to judge"
    )
    return Path(_git(folder, "rev-parse", "--show-toplevel", error=error))


def resolve_commit(repository: Path, revision: str) -> str:
    """The full hash of a revision; for `WORKTREE`, that of a snapshot of the files.

    Raises:
        GateError: there is no such revision.
    """
    if revision == WORKTREE:
        return _snapshot(repository)
    error = (
        f"expected a revision of {repository}, got {revision!r}, which is not in it; "
        "in CI, fetch the history (actions/checkout: fetch-depth: 0)"
    )
    name = f"{revision}^{{commit}}"
    return _git(repository, "rev-parse", "--verify", "--end-of-options", name, error=error)


def lay_out_revision(
    repository: Path, revision: str, suite: SuiteSpec, copy: int = 0
) -> RevisionFolder:
    """Check a revision out and set it up, or take it from the cache.

    Args:
        repository: its root.
        revision: what git understands, or `WORKTREE`.
        suite: its setup runs in the checkout. ``GATE_TREE`` names the checkout and ``GATE_SITE``
            an empty folder; what is installed there is imported first.
        copy: copies of other numbers are laid out and built on their own.

    Raises:
        GateError: there is no such revision, or its setup fails.
    """
    commit = resolve_commit(repository, revision)
    # All folders have names of one length: paths lie on stacks and in tables, and a longer one
    # would move the measured code in memory. The interpreter is part of the key.
    key = hashlib.sha256(
        f"{repository}\0{suite.setup}\0{sys.executable}\0{copy}".encode()
    ).hexdigest()[:12]
    entry = suite.cache_folder / f"{commit}-{key}"
    tree, site = entry / "tree", entry / "site"
    suite.cache_folder.mkdir(parents=True, exist_ok=True)
    with _locked(entry.with_name(f"{entry.name}.lock")):
        if not (entry / STAMP).exists():
            shutil.rmtree(entry, ignore_errors=True)
            site.mkdir(parents=True)
            _git(repository, "clone", "-q", "--shared", "--no-checkout", str(repository), str(tree))
            _git(tree, "checkout", "-q", "--detach", commit)
            if suite.setup is not None:
                variables = {"GATE_TREE": str(tree), "GATE_SITE": str(site)}
                run_command(revision, suite.setup, tree, {**os.environ, **variables})
            (entry / STAMP).touch()
    roots = [
        folder for folder in (site, tree / "src", tree) if folder.is_dir() and any(folder.iterdir())
    ]
    return RevisionFolder(revision, commit, tree, tuple(roots))


def run_command(revision: str, command: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a shell command in a revision; ``python`` in it is the interpreter that runs the gate.

    Raises:
        GateError: it fails; the text ends with its last lines.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**environment, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        last = "\n".join(done.stdout.strip().splitlines()[-10:])
        raise GateError(
            f"{revision}: expected exit code 0 from {command!r}, got {done.returncode}; "
            f"its last output:\n{last}"
        )


def prune_cache(cache_folder: Path, num_kept: int = 20) -> None:
    """Remove the entries beyond the `num_kept` that were made last."""
    entries = filter(Path.is_dir, cache_folder.glob("*-*"))
    for entry in sorted(entries, key=lambda path: path.stat().st_mtime)[:-num_kept]:
        lock = entry.with_name(f"{entry.name}.lock")
        with _locked(lock):
            shutil.rmtree(entry, ignore_errors=True)
        lock.unlink(missing_ok=True)


def _snapshot(repository: Path) -> str:
    """Commit the files as they are, on no branch and without touching the index."""
    head = _git(repository, "rev-parse", "HEAD")
    if not _git(repository, "status", "--porcelain"):
        return head
    date = _git(repository, "show", "-s", "--format=%cI", "HEAD")
    with tempfile.TemporaryDirectory() as folder:
        # The same files on the same commit make the same hash, so the cache finds them.
        author = {"NAME": "gate", "EMAIL": "gate@localhost", "DATE": date}
        variables = {
            f"GIT_{role}_{part}": text
            for role in ("AUTHOR", "COMMITTER")
            for part, text in author.items()
        }
        git = functools.partial(
            _git, repository, GIT_INDEX_FILE=str(Path(folder) / "index"), **variables
        )
        git("read-tree", "HEAD")
        git("add", "--all")
        return git("commit-tree", git("write-tree"), "-p", head, "-m", "snapshot")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock; it ends with the process that holds it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _git(folder: Path, *arguments: str, error: str = "", **variables: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise GateError("expected git, got none on PATH; install it") from None
    if done.returncode != 0:
        raise GateError(
            error
            or f"git {arguments[0]}: expected exit code 0, got {done.returncode}: "
            f"{done.stderr.strip()}"
        )
    return done.stdout.strip()
