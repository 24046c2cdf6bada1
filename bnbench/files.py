"""Files that survive a kill: replaced whole, or extended line by line."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

BLOCK_BYTES = 1 << 16


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole: a reader finds the old content or the new, never a part."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


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
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        file = self.path.open("a+b")
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
        """
        if self._file is None:
            raise RuntimeError(f"{self.path}: expected a locked log; append inside its 'with'")
        self._file.write(json.dumps(content, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Read the complete lines, each with its number, counted from 1; needs no lock."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield number, line


def _cut_torn_line(file: IO[bytes]) -> None:
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
