"""Revisions laid out side by side: checked out and built once a commit, in a cache.

A revision is a clone that borrows the repository's objects (``git clone --shared``), not a
worktree that is registered in it: killed at any moment, nothing is left in the repository that
would have to be pruned, and a build finds real git metadata. An entry of the cache is complete
once its stamp is written; one without a stamp is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bnbench.errors import GateError
from bnbench.gate.process import RevisionFolder

WORKTREE = "worktree"
"""The name that stands for the files as they are, committed or not."""
STAMP = ".gate-complete"


def default_cache_folder() -> Path:
    """Where revisions are kept: ``$XDG_CACHE_HOME/bnbench/gate``."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "bnbench" / "gate"


def find_repository(folder: Path) -> Path:
    """The root of the repository that `folder` lies in.

    Raises:
        GateError: it lies in none.
    """
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel"))
    except GateError:
        raise GateError(
            f"{folder}: expected a folder inside a git repository, got none; "
            "go to the project that is to be judged"
        ) from None


def resolve_commit(repository: Path, revision: str) -> str:
    """The full hash of a revision; for `WORKTREE`, that of a snapshot of the files.

    Raises:
        GateError: there is no such revision.
    """
    if revision == WORKTREE:
        return _snapshot(repository)
    try:
        return _git(
            repository, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"
        )
    except GateError:
        raise GateError(
            f"expected a revision of {repository}, got {revision!r}, which it does not have; "
            "in CI, fetch the history (actions/checkout: fetch-depth: 0)"
        ) from None


def lay_out_revision(
    repository: Path, revision: str, cache_folder: Path, setup: str | None, python: str
) -> RevisionFolder:
    """Check a revision out and set it up, or take it from the cache.

    Args:
        repository: its root.
        revision: what git understands, or `WORKTREE`.
        cache_folder: where revisions are kept.
        setup: a shell command that builds it, run in the checkout with ``GATE_TREE`` (the
            checkout) and ``GATE_SITE`` (an empty folder; what is installed there is imported
            first) in its environment; None where sources run as they are.
        python: the interpreter the benchmarks will run in; it is part of the entry's key.

    Raises:
        GateError: there is no such revision, or its setup fails.
    """
    commit = resolve_commit(repository, revision)
    # Names of one length for all revisions: paths are on stacks and in tables, and a longer one
    # moves what is measured in memory.
    key = hashlib.sha256(f"{repository}\0{setup}\0{python}".encode()).hexdigest()[:12]
    entry = cache_folder / f"{commit}-{key}"
    tree, site = entry / "tree", entry / "site"
    cache_folder.mkdir(parents=True, exist_ok=True)
    with _locked(cache_folder / f"{entry.name}.lock"):
        if not (entry / STAMP).exists():
            shutil.rmtree(entry, ignore_errors=True)
            site.mkdir(parents=True)
            _git(repository, "clone", "-q", "--shared", "--no-checkout", str(repository), str(tree))
            _git(tree, "checkout", "-q", "--detach", commit)
            if setup is not None:
                _set_up(revision, setup, python, tree, site, entry / "setup.log")
            (entry / STAMP).touch()
    roots = [folder for folder in (site, tree / "src", tree) if any_entry(folder)]
    return RevisionFolder(revision, commit, tree, tuple(roots))


def any_entry(folder: Path) -> bool:
    """Whether a folder is there and holds something."""
    return folder.is_dir() and any(folder.iterdir())


def prune_cache(cache_folder: Path, num_kept: int = 20) -> None:
    """Remove the entries beyond the `num_kept` that were made last."""
    entries = sorted(
        (path for path in cache_folder.glob("*-*") if path.is_dir()),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for entry in entries[num_kept:]:
        with _locked(cache_folder / f"{entry.name}.lock"):
            shutil.rmtree(entry, ignore_errors=True)
        (cache_folder / f"{entry.name}.lock").unlink(missing_ok=True)


def _snapshot(repository: Path) -> str:
    """Make a commit of the files as they are, on no branch; index and files stay as they are."""
    head = _git(repository, "rev-parse", "HEAD")
    if not _git(repository, "status", "--porcelain"):
        return head
    date = _git(repository, "show", "-s", "--format=%cI", "HEAD")
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "GIT_INDEX_FILE": str(Path(folder) / "index"),
            # The same files on the same commit are the same snapshot, found in the cache.
            **{f"GIT_{role}_DATE": date for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_NAME": "gate" for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_EMAIL": "gate@localhost" for role in ("AUTHOR", "COMMITTER")},
        }
        _git(repository, "read-tree", "HEAD", environment=environment)
        _git(repository, "add", "--all", environment=environment)
        tree = _git(repository, "write-tree", environment=environment)
        return _git(
            repository, "commit-tree", tree, "-p", head, "-m", "snapshot", environment=environment
        )


def _set_up(revision: str, setup: str, python: str, tree: Path, site: Path, log_file: Path) -> None:
    # "python" in the command is the interpreter that runs the benchmarks.
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "GATE_TREE": str(tree), "GATE_SITE": str(site), "PATH": path}
    with log_file.open("wb") as log:
        code = subprocess.run(
            setup, shell=True, cwd=tree, env=environment, stdout=log, stderr=subprocess.STDOUT
        ).returncode
    if code != 0:
        last = "\n".join(log_file.read_text(errors="replace").strip().splitlines()[-10:])
        raise GateError(
            f"{revision}: expected a setup that ends with exit code 0, got {code} of "
            f"{setup!r}:\n{last}"
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time makes an entry; a killed one's lock goes with it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _git(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise GateError("expected git, got none on PATH; install it") from None
    if done.returncode != 0:
        raise GateError(f"git {arguments[0]} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()
