"""Where FashionMNIST's files come from: a named folder, Debian's package, a download; no torch."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bnbench.data_files import (
    CONTENT_SHA256,
    TORCHVISION_LAYOUT,
    find_complete_folder,
    read_checked,
)
from bnbench.errors import DataError

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_SOURCE = f"Debian's package {DEBIAN_PACKAGE}"


def _fetch_by_torchvision(scratch: Path) -> Path:
    # Imported here: it costs over a second and is needed only for the download.
    from torchvision.datasets import FashionMNIST

    FashionMNIST(str(scratch), train=True, download=True)
    return scratch / TORCHVISION_LAYOUT


def _fetch_debian_package(scratch: Path) -> Path:
    run = functools.partial(
        subprocess.run, cwd=scratch, capture_output=True, text=True, timeout=300, check=True
    )
    run(["apt-get", "download", DEBIAN_PACKAGE])
    run(["dpkg-deb", "-x", next(scratch.glob("*.deb")).name, "unpacked"])
    return scratch / "unpacked" / DEBIAN_FOLDER.relative_to("/")


DOWNLOADS: dict[str, Callable[[Path], Path]] = {
    "torchvision's download": _fetch_by_torchvision,
    f"{DEBIAN_SOURCE}, fetched without root": _fetch_debian_package,
}
"""Each download by its name: it gets an empty folder and returns the one with the four files."""


@dataclass(frozen=True)
class Sources:
    """Where the four files may lie or come from, besides a folder that the user names."""

    debian: Path = DEBIAN_FOLDER
    """Folder of Debian's package."""
    downloads: Mapping[str, Callable[[Path], Path]] = field(default_factory=lambda: DOWNLOADS)
    """As `DOWNLOADS`, tried in order."""
    sha256: Mapping[str, str] = field(default_factory=lambda: CONTENT_SHA256)
    """As `CONTENT_SHA256`."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """Environment variables: BNBENCH_DATA, XDG_CACHE_HOME and HOME count."""

    @property
    def cache(self) -> Path | None:
        """The folder of downloads that nobody named; None if the user has no home folder."""
        if named := self.environment.get("XDG_CACHE_HOME"):
            return Path(named) / "bnbench"
        if home := self.environment.get("HOME"):
            return Path(home) / ".cache" / "bnbench"
        return None


def locate_fashion_mnist(
    data_dir: Path | None = None, download: bool = True, sources: Sources | None = None
) -> tuple[Path, str]:
    """Find the folder with the four files.

    A folder that the user names, by `data_dir` or by the environment variable ``BNBENCH_DATA``, is
    the only one searched, and nothing is written into it. Its files may be raw or ``.gz``, directly
    in it or in torchvision's layout. Otherwise the sources are Debian's package, an earlier
    download, and, if `download` is true, a new one.

    Returns:
        The folder, and where its files came from.

    Raises:
        DataError: the named folder lacks a file, or no source has them.
    """
    sources = sources or Sources()
    variable = sources.environment.get("BNBENCH_DATA")
    if data_dir is not None:
        return _find_named(data_dir, "--data-dir", sources)
    if variable:
        return _find_named(Path(variable), "BNBENCH_DATA", sources)
    for place, source in (
        (sources.debian, DEBIAN_SOURCE),
        (sources.cache, f"an earlier download in {sources.cache}"),
    ):
        folder = None if place is None else find_complete_folder(place, sources.sha256)
        if folder is not None:
            return folder, source
    if not download:
        searched = " or ".join(str(place) for place in (sources.debian, sources.cache) if place)
        raise DataError(
            f"FashionMNIST: expected its four files, got none in {searched}; "
            "run 'bnbench data' to fetch it, or name its folder by --data-dir"
        )
    if sources.cache is None:
        raise DataError(
            "HOME: expected a home folder to download FashionMNIST to, got none; set it, or "
            "download to another folder: bnbench data --data-dir DIR"
        )
    return _download(sources.cache, sources)


def fetch_fashion_mnist(folder: Path, sources: Sources | None = None) -> tuple[Path, str]:
    """Put the four files into `folder` unless it has them; it is made if its parent exists.

    Returns:
        As `locate_fashion_mnist`.

    Raises:
        DataError: `folder` can't be made or has some of the files but not all, or no source has
            them.
    """
    sources = sources or Sources()
    if not folder.parent.is_dir():
        raise DataError(
            f"{folder}: expected a new folder in one that exists, got no folder {folder.parent}; "
            "correct --data-dir, or make that folder first"
        )
    if folder.exists():
        _check_folder(folder, "--data-dir")
        found = find_complete_folder(folder, sources.sha256)
        if found is not None:
            return found, f"the data folder {folder}"
    return _download(folder, sources)


def _find_named(folder: Path, option: str, sources: Sources) -> tuple[Path, str]:
    _check_folder(folder, option)
    found = find_complete_folder(folder, sources.sha256)
    if found is None:
        raise DataError(
            f"{folder}: expected FashionMNIST's four files, got none of them; correct or "
            f"leave out {option}, or download to this folder: bnbench data --data-dir {folder}"
        )
    return found, f"the data folder {folder}"


def _check_folder(folder: Path, option: str) -> None:
    """Refuse what is no folder."""
    if not folder.exists():
        raise DataError(
            f"{folder}: expected a folder with FashionMNIST, got no such folder; correct or "
            f"leave out {option}, or download to a new folder: bnbench data --data-dir {folder}"
        )
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder for the data, got a file; name its folder")


def _download(root: Path, sources: Sources) -> tuple[Path, str]:
    """Put all files into `root`, checked and in torchvision's layout, or leave it as it was."""
    failures = []
    fetches = dict(sources.downloads)
    if sources.debian.is_dir():
        fetches = {f"{DEBIAN_SOURCE}, copied": lambda _: sources.debian, **fetches}
    try:
        with _make_folder(root):
            for source, fetch in fetches.items():
                try:
                    return _install(root, fetch, sources.sha256), source
                except (DataError, OSError, RuntimeError, subprocess.SubprocessError) as error:
                    lines = str(getattr(error, "stderr", "") or error).strip().splitlines()
                    failures.append(f"{source}: {lines[0] if lines else repr(error)}")
            raise DataError(
                f"FashionMNIST: expected a source that has it, got none ({'; '.join(failures)}); "
                f"put the four files into a folder and name it by --data-dir, or install "
                f"{DEBIAN_PACKAGE}"
            )
    except OSError as error:
        raise DataError(
            f"{root}: expected a folder that can be written, to download FashionMNIST to, got: "
            f"{error.strerror or error}; choose another: bnbench data --data-dir DIR"
        ) from None


def _install(root: Path, fetch: Callable[[Path], Path], sha256: Mapping[str, str]) -> Path:
    """Fetch the files, check them, and put them into `root` all at once."""
    with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as scratch:
        fetched = fetch(Path(scratch))
        draft = Path(scratch) / "checked"
        draft.mkdir()
        for name in sha256:
            (draft / name).write_bytes(read_checked(fetched, name, sha256))
        folder = root / TORCHVISION_LAYOUT
        folder.parent.mkdir(exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    return folder


@contextlib.contextmanager
def _make_folder(root: Path) -> Iterator[None]:
    """Make a folder that can be written; an error removes it again, and the parents it made."""
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not os.access(root, os.W_OK):
            raise PermissionError(13, "Permission denied")
        yield
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
