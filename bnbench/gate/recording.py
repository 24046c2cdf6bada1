"""A long recording of one revision against itself, with and without injected slowdowns.

The file has a line of JSON for the machine and the suite and then one a process pair, on the
disk as soon as the pair ends. A recording that was interrupted goes on where it was; a torn
last line is cut off.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import bnbench
from bnbench.errors import GateError, SpecError
from bnbench.gate.pairs import PairRunner
from bnbench.gate.records import PairRecord
from bnbench.machine import count_cores, describe_system, read_cpu_name, read_memory_bytes
from bnbench.mapping import build_from_mapping

LEVELS = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Slowdowns that are recorded, as fractions; 0 is A/A."""
FORMAT_VERSION = 2


@dataclass(frozen=True)
class RecordingHeader:
    """What was recorded, and where."""

    format_version: int
    commit: str
    suite: tuple[str, ...]
    """What pytest was given to collect."""
    levels: tuple[float, ...]
    cpu: str
    cores: int
    memory_bytes: int | None
    system: str
    version: str
    """Of bnbench."""
    started_at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class Recording:
    """A recording as read back."""

    header: RecordingHeader
    pairs: tuple[PairRecord, ...]

    @property
    def seconds(self) -> float:
        """How long was recorded."""
        return sum(pair.wall_seconds for pair in self.pairs)

    @property
    def names(self) -> list[str]:
        """Benchmarks that were measured in every pair, at every level."""
        return [
            name
            for name in dict.fromkeys(v.benchmark for pair in self.pairs for v in pair.visits)
            if all(
                {v.slowdown for v in pair.visits if v.benchmark == name} >= set(self.header.levels)
                for pair in self.pairs
            )
        ]


def describe_recording(commit: str, suite: tuple[str, ...]) -> RecordingHeader:
    """The header of a recording that is made here and now."""
    return RecordingHeader(
        FORMAT_VERSION,
        commit,
        suite,
        LEVELS,
        read_cpu_name(),
        count_cores(),
        read_memory_bytes(),
        describe_system(),
        bnbench.__version__,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


def extend_recording(
    path: Path,
    header: RecordingHeader,
    runner: PairRunner,
    seconds: float,
    on_pair: Callable[[int, float], None] = lambda *_: None,
) -> Recording:
    """Record process pairs until the file holds `seconds` of them.

    Args:
        path: the recording; it goes on if it is there.
        header: what is recorded now; what is there must agree in all that matters.
        runner: measures the revision against itself.
        seconds: how long the whole recording is to be.
        on_pair: told after each pair how many there are, and their seconds.

    Raises:
        GateError: the file is another recording, or cannot be written.
    """
    pairs: list[PairRecord] = []
    if path.exists() and path.stat().st_size:
        found = read_recording(path)
        conditions = [dataclasses.replace(each, started_at="") for each in (found.header, header)]
        if conditions[0] != conditions[1]:
            raise GateError(
                f"{path}: expected a recording of this commit, suite and machine to go on with, "
                "got another; name a new file by --recording"
            )
        header, pairs = found.header, list(found.pairs)
        _cut_torn_line(path)
    else:
        _append(path, dataclasses.asdict(header))
    total = sum(pair.wall_seconds for pair in pairs)
    while total < seconds:
        # Which slowdown is measured first goes round: none is always next to the warm-up.
        turn = len(pairs) % len(header.levels)
        levels = header.levels[turn:] + header.levels[:turn]
        pair = runner.measure(lambda suite: suite.common_names, levels)
        if not pair.visits:
            reasons = "; ".join(f"{name}: {why}" for name, why in pair.failures.items())
            raise GateError(f"expected a benchmark that gives a time, got none: {reasons}")
        _append(path, dataclasses.asdict(pair))
        pairs.append(pair)
        total += pair.wall_seconds
        on_pair(len(pairs), total)
    return Recording(header, tuple(pairs))


def read_recording(path: Path) -> Recording:
    """Read a recording; a last line that was not finished is left out.

    Raises:
        GateError: there is none, or a line of it is not what it must be.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise GateError(f"{path}: expected a recording, got: {error}") from None
    try:
        header = build_from_mapping(RecordingHeader, json.loads(lines[0]))
        pairs = tuple(build_from_mapping(PairRecord, json.loads(line)) for line in lines[1:])
    except (IndexError, ValueError, SpecError) as error:
        raise GateError(
            f"{path}: expected a recording of 'bnbench gate --certify', got: {error}"
        ) from None
    if header.format_version != FORMAT_VERSION:
        raise GateError(
            f"{path}: expected format version {FORMAT_VERSION}, got {header.format_version}"
        )
    return Recording(header, pairs)


def _append(path: Path, content: object) -> None:
    try:
        with path.open("ab") as file:
            file.write((json.dumps(content) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise GateError(f"{path}: expected a file that can be written, got: {error}") from None


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with path.open("r+b") as file:
            file.truncate(end)
