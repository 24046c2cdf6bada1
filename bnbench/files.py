"""Files and folders that survive a kill: replaced or made whole, or extended line by line."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

BLOCK_BYTES = 1 << 16


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole: a reader finds the old content or the new, never a part.

    Raises:
        OSError: the file cannot be written, for instance on a full disk; it names `path`, and the
            old content is still there.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb", buffering=0) as file:
            _write_whole(file, content)
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        error.filename = str(path)
        raise


@contextlib.contextmanager
def make_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that appears complete or not at all; yields a draft of it to fill.

    Raises:
        OSError: the folder cannot be written, or exists and is not empty; no draft is left.
    """
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        draft.mkdir(parents=True)
        yield draft
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def hash_files(paths: Iterable[Path], folder: Path) -> str:
    """Hash files with their names within `folder` (by file name where they lie elsewhere)."""
    digest = hashlib.sha256()
    for path in paths:
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


class AppendLog:
    """A file with one JSON value per line, which only grows, by one process at a time.

    As a context manager it locks the file for appending, and makes it if it is missing. A kill
    can leave the last line torn: readers skip it, and the next writer cuts it off.

    Args:
        path: the file.
        wait: whether to wait for another process that holds the lock.

    Raises:
        BlockingIOError: on entry, if another process holds the lock and `wait` is False.
        OSError: the file cannot be opened, read or written.
    """

    def __init__(self, path: Path, wait: bool = False) -> None:
        self.path = path
        self._wait = wait
        self._file: io.FileIO | None = None

    def __enter__(self) -> Self:
        # Without a buffer, a line that does not fit on the disk is not written again on close.
        file = self.path.open("a+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if self._wait else fcntl.LOCK_NB))
            _cut_torn_line(file)
        except BaseException:
            file.close()
            raise
        self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def append(self, content: object) -> None:
        """Add a line, on the disk when this returns.

        Args:
            content: what `json.dumps` can write, without NaN and infinities.

        Raises:
            RuntimeError: the log is not locked.
            OSError: the line cannot be written, for instance on a full disk; the error names the
                file, and no part of the line is left in it.
        """
        if self._file is None:
            raise RuntimeError(f"{self.path}: expected a locked log; append inside its 'with'")
        line = json.dumps(content, allow_nan=False).encode() + b"\n"
        end = self._file.seek(0, os.SEEK_END)
        try:
            _write_whole(self._file, line)
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(end)
            error.filename = str(self.path)
            raise

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Read the complete lines, each with its number, counted from 1; needs no lock."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield number, line


def _write_whole(file: io.FileIO, content: bytes) -> None:
    """Write all bytes; one call writes fewer if the disk fills up."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _cut_torn_line(file: io.FileIO) -> None:
    """Cut a file after its last newline; searched from the end, since a log can be gigabytes."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(end - BLOCK_BYTES, 0)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    file.truncate(end)
